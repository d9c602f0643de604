// docs/troubleshooting.md: installing and starting.
import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { startProgram, startScript } from "../../tools/child.ts";
import { temporaryFolder } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { project, writeScript } from "../support.ts";

const packages = join(root, "node_modules");
const windows = process.platform === "win32";

/** Runs lines of a module in plain Node. */
const evaluate = (code: string, cwd = root) =>
  startProgram(process.execPath, ["--input-type=module", "--eval", code], { cwd });

/** Writes a file into a folder, and returns its path. */
function write(folder: string, file: string, text: string) {
  writeFileSync(join(folder, file), text);
  return join(folder, file);
}

test("`Cannot find package 'tsx'`", async () => {
  const node = ["--import", "tsx", join(root, "eventloop/client.ts"), "?"];
  const outside = startProgram(process.execPath, node, { cwd: temporaryFolder() });
  await outside.stderr.next(/Cannot find package 'tsx'/);
  const inside = startProgram(process.execPath, node, { cwd: join(root, "eventloop") });
  await inside.stderr.next(/Invalid argument/);
});

test("`env: unrecognized option: S`", { skip: windows }, async () => {
  // As BusyBox's env does: it knows no -S.
  const lines = '#!/bin/sh\ncase $1 in -S*) echo "env: unrecognized option: S";; esac\n';
  const env = write(temporaryFolder(), "env", lines);
  const script = writeScript(read("eventloop/client.ts").replace("/usr/bin/env", env));
  for (const file of [env, script]) chmodSync(file, 0o755);
  await startProgram(script, ["?"]).stdout.next("env: unrecognized option: S");
  await startScript(script, "?").stderr.next(/Invalid argument/);
});

test('`Top-level await is currently not supported with the "cjs" output format`', async () => {
  const folder = project();
  const [script, module] = ["camera.ts", "camera.mts"].map((file) =>
    write(folder, file, "await 1;"),
  );
  write(folder, "package.json", '{ "type": "commonjs" }'); // as npm init has it
  const why = /Top-level await is currently not supported with the "cjs" output/;
  await startScript(script).stderr.next(why);
  assert.equal(await startScript(module).exitStatus(), 0);
  write(folder, "package.json", '{ "type": "module" }');
  assert.equal(await startScript(script).exitStatus(), 0);
});

test("`You installed esbuild for another platform than the one you're currently using`", async () => {
  const install = (folder: string) => {
    const part = join(folder, "node_modules/esbuild");
    cpSync(join(packages, "esbuild/lib"), join(part, "lib"), { recursive: true });
    cpSync(join(packages, "esbuild/package.json"), join(part, "package.json"));
    return folder;
  };
  const use = (folder: string) =>
    evaluate('import { transformSync } from "esbuild"; transformSync("1");', folder);

  const copied = install(temporaryFolder());
  const other = process.platform === "darwin" ? "linux-x64" : "darwin-arm64";
  mkdirSync(join(copied, "node_modules/@esbuild", other), { recursive: true });
  const why = /You installed esbuild for another platform than the one you're/;
  await use(copied).stderr.next(why);

  const installed = install(temporaryFolder());
  const own = join(installed, "node_modules/@esbuild");
  cpSync(join(packages, "@esbuild"), own, { recursive: true });
  assert.equal(await use(installed).exitStatus(), 0);
});

test("`Failed to load zeromq.js addon.node`, with `Manifest file not found`", async () => {
  const cwd = temporaryFolder();
  const copy = (part: string) =>
    cpSync(join(packages, part), join(cwd, "node_modules", part), {
      recursive: true,
    });
  ["zeromq/lib", "zeromq/package.json", "cmake-ts"].forEach(copy);
  const load = () => evaluate('import "zeromq"; console.log("loaded");', cwd);
  await load().stderr.next(/Failed to load zeromq\.js addon\.node/);
  copy("zeromq/build");
  await load().stdout.next("loaded");
});

/** Loads zeromq after a line that makes the system look like another one. */
const loadOn = (disguise: string) =>
  evaluate(`${disguise} await import("zeromq"); console.log("loaded");`);

test("`No compatible zeromq.js addon found for linux arm`", async () => {
  const arm = 'Object.defineProperty(process, "arch", { value: "arm" });';
  await loadOn(arm).stderr.next(/No compatible zeromq\.js addon found for \w+ arm/);
  await loadOn("").stdout.next("loaded");
});

const noMusl = process.platform !== "linux" || process.arch !== "x64";
test("`libc.musl-x86_64.so.1: cannot open shared object file`", { skip: noMusl }, async () => {
  const alpine = `import fs from "node:fs";
    const { existsSync } = fs;
    fs.existsSync = (path) => path === "/etc/alpine-release" || existsSync(path);`;
  const disguised = loadOn(alpine);
  await disguised.stderr.next(/libc\.musl-x86_64\.so\.1: cannot open shared object/);
  await disguised.stderr.next(/No compatible zeromq\.js addon found$/);
  await loadOn("").stdout.next("loaded");
});

test('a bundle does not start: `Manifest file not found`, `Dynamic require of "module" is not supported`, `__dirname is not defined`', async () => {
  const contents = 'import { Publisher } from "zeromq"; new Publisher();';
  const require = `import { createRequire } from "node:module";
    const require = createRequire(import.meta.url);`;
  for (const [format, file, banner, why] of [
    ["cjs", "bundle.cjs", "", /zeromq\.js addon\.node.*Manifest file not found/],
    ["esm", "bundle.mjs", "", /Dynamic require of "module" is not supported/],
    ["esm", "bundle.mjs", require, /__dirname is not defined in ES module/],
  ] as const) {
    const bundle = async (folder: string, external: string[]) => {
      const outfile = join(folder, file);
      await build({
        stdin: { contents, resolveDir: root },
        banner: { js: banner },
        bundle: true,
        external,
        format,
        outfile,
        platform: "node",
      });
      return startProgram(process.execPath, [outfile]);
    };
    await (await bundle(project(), [])).stderr.next(why);
    const alone = await bundle(temporaryFolder(), ["zeromq"]);
    await alone.stderr.next(/Cannot find (module|package) 'zeromq'/);
    const beside = await bundle(project(), ["zeromq"]);
    assert.equal(await beside.exitStatus(), 0);
  }
});

test("`zmq.socket is not a function`", async () => {
  const old = 'import zmq from "zeromq"; zmq.socket("sub");';
  await evaluate(old).stderr.next(/zmq\.socket is not a function/);
  const now = 'import { Subscriber } from "zeromq"; new Subscriber();';
  assert.equal(await evaluate(now).exitStatus(), 0);
  const compatible = old.replace('"zeromq"', '"zeromq/v5-compat.js"');
  await evaluate(`${compatible} console.log("works");`).stdout.next("works");
});

test("`Cannot read properties of undefined (reading 'Subscriber')`", async () => {
  // CommonJS, as every .ts file is where package.json has no "type": "module".
  const folder = project();
  const startFile = (code: string) => startScript(write(folder, "camera.cts", code));
  const byDefault = startFile('import zmq from "zeromq"; new zmq.Subscriber();');
  const why = /Cannot read properties of undefined \(reading 'Subscriber'\)/;
  await byDefault.stderr.next(why);
  const byName = 'import { Subscriber } from "zeromq"; new Subscriber();';
  assert.equal(await startFile(byName).exitStatus(), 0);
});

test("`does not provide an export named 'Request'`, `Named export 'Request' not found`", async () => {
  const code = 'import { Request } from "zeromq"; new Request();';
  const folder = project();
  const script = write(folder, "client.ts", code);
  assert.equal(await startScript(script).exitStatus(), 0);

  // What version 5 exports is a function, zmq.socket().
  const version5 = join(folder, "node_modules/zeromq");
  mkdirSync(version5, { recursive: true });
  write(version5, "index.js", "module.exports = { socket() {} };");
  const why = /does not provide an export named 'Request'/;
  await startScript(script).stderr.next(why);
  await evaluate(code, folder).stderr.next(/Named export 'Request' not found/);
});

test("TypeScript: a frame may be `undefined`, and `is not assignable`", async () => {
  const tsc = async (code: string) => {
    const flags = { noUncheckedIndexedAccess: true, skipLibCheck: true, noEmit: true };
    const compilerOptions = { ...flags, module: "nodenext", target: "es2022" };
    const cwd = project(JSON.stringify({ compilerOptions }));
    write(cwd, "camera.ts", code);
    return startProgram(process.execPath, [join(packages, "typescript/bin/tsc")], { cwd });
  };
  const camera = (message: string) => `import { Subscriber } from "zeromq";
    for await (const [message] of new Subscriber()) {
      const bytes: Uint8Array = ${message};
      bytes;
    }`;
  const naive = await tsc(camera("message"));
  await naive.stdout.next(/undefined' is not assignable to type/);
  const wise = await tsc(camera('message ?? Buffer.from("")'));
  assert.equal(await wise.exitStatus(), 0, wise.stdout.all.join("\n"));
});

test("`Radio` and `Dish` are not there", async () => {
  const load = (from: string) => `import { Radio } from "${from}"; new Radio();`;
  const naive = evaluate(load("zeromq"));
  await naive.stderr.next(/Named export 'Radio' not found|export named 'Radio'/);
  assert.equal(await evaluate(load("zeromq/draft.js")).exitStatus(), 0);
});
