// docs/troubleshooting.md: installing and starting.
import assert from "node:assert/strict";
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { startProgram, startScript } from "../../tools/child.ts";
import { temporaryFolder } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { notOnWindows, project, replace } from "../support.ts";
import { copyZeromq } from "./support.ts";

const packages = join(root, "node_modules");
// A package of tsx's own, which pnpm keeps beside that.
const fromTsx = createRequire(createRequire(import.meta.url).resolve("tsx"));
const esbuild = dirname(fromTsx.resolve("esbuild/package.json"));

const compiler = join(packages, "typescript/bin/tsc");
const noCompiler = !existsSync(compiler) && "TypeScript is not installed";

/** Runs lines of a module in plain Node. */
const evaluate = (code: string, cwd = root) =>
  startProgram(process.execPath, ["--input-type=module", "--eval", code], { cwd });

/** Writes a file into a folder, and returns its path. */
function write(folder: string, file: string, text: string) {
  writeFileSync(join(folder, file), text);
  return join(folder, file);
}

/** What the compiler prints about a camera, in a package of that type. */
async function compile(type: string, message: string) {
  const flags = { noUncheckedIndexedAccess: true, verbatimModuleSyntax: true, noEmit: true };
  const modules = { module: "nodenext", target: "es2022", types: ["node"], skipLibCheck: true };
  const cwd = project(JSON.stringify({ compilerOptions: { ...flags, ...modules } }));
  write(cwd, "package.json", JSON.stringify({ type }));
  const camera = `import { Subscriber } from "zeromq";
    for await (const [message] of new Subscriber()) {
      const bytes: Uint8Array = ${message};
      bytes;
    }`;
  write(cwd, "camera.ts", camera);
  const { exitStatus, stdout } = startProgram(process.execPath, [compiler], { cwd });
  await exitStatus();
  return stdout.all.join("\n");
}

let naiveErrors: Promise<string> | undefined;
/** What it prints about one that has everything wrong. */
const compileNaive = () => (naiveErrors ??= compile("commonjs", "message"));

test("`Cannot find package 'tsx'`", async () => {
  const node = ["--import", "tsx", join(root, "eventloop/client.ts"), "?"];
  const outside = startProgram(process.execPath, node, { cwd: temporaryFolder() });
  await outside.stderr.next(/Cannot find package 'tsx'/);
  const inside = startProgram(process.execPath, node, { cwd: join(root, "eventloop") });
  await inside.stderr.next(/Invalid argument/);
});

test("`env: unrecognized option: S`", { skip: notOnWindows }, async () => {
  // As BusyBox's env does: it knows no -S.
  const lines = '#!/bin/sh\ncase $1 in -S*) echo "env: unrecognized option: S";; esac\n';
  const env = write(temporaryFolder(), "env", lines);
  const code = replace(read("eventloop/client.ts"), "/usr/bin/env", env);
  const script = write(project(), "client.ts", code);
  for (const file of [env, script]) chmodSync(file, 0o755);
  await startProgram(script, ["?"]).stdout.next("env: unrecognized option: S");
  await startScript(script, "?").stderr.next(/Invalid argument/);
});

test('`Top-level await is currently not supported with the "cjs" output format`', async (t) => {
  const folder = project();
  const [script, module] = ["camera.ts", "camera.mts"].map((file) =>
    write(folder, file, "await 1;"),
  );
  write(folder, "package.json", '{ "type": "commonjs" }'); // as npm init has it
  const why = /Top-level await is currently not supported with the "cjs" output/;
  await startScript(script).stderr.next(why);
  assert.equal(await startScript(module).exitStatus(), 0);
  if (noCompiler) return t.diagnostic(noCompiler);
  const errors = await compileNaive();
  for (const number of ["TS1309", "TS1295"]) assert.ok(errors.includes(number), errors);
});

test("`Unknown file extension \".ts\"`, `TypeScript enum is not supported in strip-only mode`, `Cannot find module '….js'`", async () => {
  const folder = project();
  write(folder, "own.ts", "export const topic: string = 'cam1/';");
  const start = (file: string, code: string, ...args: string[]) =>
    startProgram(process.execPath, [...args, write(folder, file, code)], { cwd: root });
  const withEnum = "enum Topic { One }\nconsole.log(Topic.One);";
  const imports = (file: string) => `import { topic } from "${file}";\nconsole.log(topic);`;
  const naive = [start("enum.ts", withEnum), start("js.ts", imports("./own.js"))];
  const both = `${imports("./own.js")}\n${withEnum}`;
  const wise = [start("both.ts", both, "--import", "tsx")];
  const strips = "typescript" in process.features && process.features.typescript;
  if (strips) {
    wise.push(start("ts.ts", imports("./own.ts")));
    await naive[0].stderr.next(/TypeScript enum is not supported in strip-only mode/);
    await naive[1].stderr.next(/Cannot find module '.*own\.js'/);
  } else {
    for (const { stderr } of naive) await stderr.next(/Unknown file extension "\.ts"/);
  }
  for (const { exitStatus } of wise) assert.equal(await exitStatus(), 0);
});

test("`You installed esbuild for another platform than the one you're currently using`", async () => {
  const install = (folder: string) => {
    const part = join(folder, "node_modules/esbuild");
    cpSync(join(esbuild, "lib"), join(part, "lib"), { recursive: true });
    cpSync(join(esbuild, "package.json"), join(part, "package.json"));
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
  cpSync(join(esbuild, "../@esbuild"), own, { recursive: true, dereference: true });
  assert.equal(await use(installed).exitStatus(), 0);
});

/** Loads zeromq after a line that makes the system look like another one. */
const loadOn = (disguise: string) =>
  evaluate(`${disguise} await import("zeromq"); console.log("loaded");`);

test("`No compatible zeromq.js addon found for linux arm`", async () => {
  const arm = 'Object.defineProperty(process, "arch", { value: "arm" });';
  await loadOn(arm).stderr.next(/No compatible zeromq\.js addon found for \w+ arm/);
  await loadOn("").stdout.next("loaded");
});

const isLinux64 = process.platform === "linux" && process.arch === "x64";
test(
  "`libc.musl-x86_64.so.1: cannot open shared object file` (or `aarch64`)",
  { skip: !isLinux64 && "no addon for musl" },
  async () => {
    const alpine = `import fs from "node:fs";
    const { existsSync } = fs;
    fs.existsSync = (path) => path === "/etc/alpine-release" || existsSync(path);`;
    const disguised = loadOn(alpine);
    await disguised.stderr.next(/libc\.musl-x86_64\.so\.1: cannot open shared object/);
    await disguised.stderr.next(/No compatible zeromq\.js addon found$/);
    await loadOn("").stdout.next("loaded");
  },
);

test('`Failed to load zeromq.js addon.node`; a bundle: `Manifest file not found`, `Dynamic require of "module" is not supported`, `__dirname is not defined`', async () => {
  const cwd = temporaryFolder();
  copyZeromq(cwd);
  const load = () => evaluate('import "zeromq"; console.log("loaded");', cwd);
  await load().stdout.next("loaded");
  rmSync(join(cwd, "node_modules/zeromq/build"), { recursive: true });
  await load().stderr.next(/Failed to load zeromq\.js addon\.node.*Manifest file not found/);

  const { build }: typeof import("esbuild") = fromTsx("esbuild");
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
    const beside = await bundle(project(), ["zeromq"]);
    assert.equal(await beside.exitStatus(), 0);
  }
});

test("`zmq.socket is not a function`; how do I upgrade, or migrate, from version 5 to 6?", async () => {
  const old = `
    import zmq from "zeromq";
    const [pull, push] = [zmq.socket("pull"), zmq.socket("push")];
    pull.on("message", (frame) => console.log("received " + frame));
    pull.on("accept", () => console.log("seen"));
    pull.monitor();
    pull.setsockopt(zmq.ZMQ_RCVHWM, 5);
    pull.bindSync("tcp://127.0.0.1:*");
    push.connect(pull.getsockopt(zmq.ZMQ_LAST_ENDPOINT));
    push.send("hello");`;
  const now = `
    import { Dealer, Pull, Push } from "zeromq";
    new Dealer({ routingId: "me" });
    const [pull, push] = [new Pull({ receiveHighWaterMark: 5 }), new Push()];
    pull.events.on("accept", () => console.log("seen"));
    await pull.bind("tcp://127.0.0.1:*");
    push.connect(pull.lastEndpoint);
    await push.send("hello");
    for await (const [frame] of pull) console.log("received " + frame);`;
  const naive = evaluate(old);
  const wise = [evaluate(replace(old, '"zeromq"', '"zeromq/v5-compat.js"')), evaluate(now)];
  await naive.stderr.next(/zmq\.socket is not a function/);
  for (const { stdout } of wise) {
    await stdout.next(/./, 2);
    assert.deepEqual(new Set(stdout.all), new Set(["seen", "received hello"]));
  }
});

test("`require is not defined in ES module scope`; `Cannot read properties of undefined (reading 'Subscriber')`", async () => {
  const folder = project();
  const start = (file: string, code: string) => startScript(write(folder, file, code));
  const byDefault = 'import zmq from "zeromq"; new zmq.Subscriber();';
  const byName = 'import { Subscriber } from "zeromq"; new Subscriber();';
  const required = startProgram(process.execPath, [
    write(folder, "required.js", 'const zmq = require("zeromq"); new zmq.Subscriber();'),
  ]);
  // CommonJS, as every .ts file is where package.json has no "type": "module".
  const naive = start("naive.cts", byDefault);
  const wise = start("wise.cts", byName);
  await required.stderr.next(/require is not defined in ES module scope/);
  await naive.stderr.next(/Cannot read properties of undefined \(reading 'Subscriber'\)/);
  assert.equal(await wise.exitStatus(), 0);
});

test("`does not provide an export named 'Request'`, `Named export 'Request' not found`", async () => {
  const code = (name: string) => `import { ${name} } from "zeromq"; ${name};`;
  // As npx tsc --init does it.
  const folder = project('{ "compilerOptions": { "verbatimModuleSyntax": true } }');
  const start = (file: string, text: string) =>
    startProgram(process.execPath, ["--import", "tsx", write(folder, file, text)], { cwd: folder });
  const right = 'import { Request, type MessageLike } from "zeromq"; Request;';
  const [wise, naive] = [start("right.ts", right), start("wrong.ts", replace(right, "type ", ""))];
  const misspelt = evaluate(code("Requets"));
  await naive.stderr.next(/does not provide an export named 'MessageLike'/);
  await misspelt.stderr.next(/Named export 'Requets' not found/);
  assert.equal(await wise.exitStatus(), 0);

  // What version 5 exports is a function, zmq.socket().
  const version5 = join(folder, "node_modules/zeromq");
  mkdirSync(version5, { recursive: true });
  write(version5, "index.js", "module.exports = { socket() {} };");
  const old = [start("old.ts", code("Request")), evaluate(code("Request"), folder)];
  await old[0].stderr.next(/does not provide an export named 'Request'/);
  await old[1].stderr.next(/Named export 'Request' not found/);
});

test(
  "TypeScript: `is not assignable to type`, as a frame may be `undefined`",
  { skip: noCompiler },
  async () => {
    assert.match(await compileNaive(), /undefined' is not assignable to type/);
    assert.equal(await compile("module", 'message ?? Buffer.from("")'), "");
  },
);

test("`Radio` and `Dish` are not there", async () => {
  const load = (from: string) => `import { Dish, Radio } from "${from}"; new Radio();`;
  const naive = evaluate(load("zeromq"));
  const wise = evaluate(`${load("zeromq/draft.js")}
    const dish = new Dish();
    await dish.bind("tcp://127.0.0.1:*");
    const before = process.cpuUsage();
    let spent = 0; // microseconds of a processor
    dish.receive();
    // This loop alone takes less than half of that.
    for (let n = 0; n < 200 && spent < 100_000; n++) {
      await new Promise((next) => setTimeout(next, 10));
      const { user, system } = process.cpuUsage(before);
      spent = user + system;
    }
    console.log(spent < 100_000 ? "idle" : "busy");
    process.exit();`);
  await naive.stderr.next(/Named export '\w+' not found|export named '\w+'/);
  await wise.stdout.next("busy");
});
