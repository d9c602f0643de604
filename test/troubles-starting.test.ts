// The README's troubles with installing and starting.
import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root, run, start } from "../tools/script.ts";
import { project, temporary } from "../tools/temporary.ts";
import { program, test } from "../tools/test.ts";

test("`Cannot find package 'tsx'`", async () => {
  const node = ["--import", "tsx", join(root, "eventloop/client.ts"), "?"];
  const outside = run(process.execPath, node, { cwd: temporary() });
  await outside.stderr.next(/Cannot find package 'tsx'/);
  const inside = run(process.execPath, node, { cwd: join(root, "eventloop") });
  await inside.stderr.next(/Invalid argument$/);
});

test("`Top-level await is currently not supported with the \"cjs\" output format`", async () => {
  const folder = project();
  const write = (file: string, text: string) =>
    writeFileSync(join(folder, file), text);
  for (const file of ["camera.ts", "camera.mts"]) write(file, "await 1;");
  write("package.json", '{ "type": "commonjs" }'); // as npm init has it
  const old = start(join(folder, "camera.ts"));
  await old.stderr.next(/Top-level await is currently not supported with the "cjs"/);
  assert.equal(await start(join(folder, "camera.mts")).status(), 0);
  write("package.json", '{ "type": "module" }');
  assert.equal(await start(join(folder, "camera.ts")).status(), 0);
});

test("`Failed to load zeromq.js addon.node`", async () => {
  const folder = temporary();
  const copy = (part: string) => {
    const from = join(root, "node_modules", part);
    cpSync(from, join(folder, "node_modules", part), { recursive: true });
  };
  ["zeromq/lib", "zeromq/package.json", "cmake-ts"].forEach(copy);
  const load = () => program("", "console.log('loaded');", folder);
  await load().stderr.next(/Failed to load zeromq.js addon.node/);
  copy("zeromq/build");
  await load().stdout.next("loaded");
});

test("`zmq.socket is not a function`, `Cannot read properties of undefined (reading 'Subscriber')`", async () => {
  const folder = project();
  const startFile = (file: string, code: string) => {
    writeFileSync(join(folder, file), code);
    return start(join(folder, file));
  };
  const old = 'import zmq from "zeromq"; zmq.socket("sub");';
  await startFile("old.ts", old).stderr.next(/zmq\.socket is not a function/);

  // CommonJS, as every .ts file is where package.json has no "type": "module".
  const byDefault = 'import zmq from "zeromq"; new zmq.Subscriber();';
  const why = /Cannot read properties of undefined \(reading 'Subscriber'\)/;
  await startFile("default.cts", byDefault).stderr.next(why);

  const byName = 'import { Subscriber } from "zeromq"; new Subscriber();';
  assert.equal(await startFile("name.ts", byName).status(), 0);
  assert.equal(await startFile("name.cts", byName).status(), 0);
});

test("a bundle does not start: `Manifest file not found`, `Dynamic require of \"module\" is not supported`", async () => {
  const contents = 'import { Publisher } from "zeromq"; new Publisher();';
  for (const [format, file, why] of [
    ["cjs", "bundle.cjs", /zeromq\.js addon\.node.*Manifest file not found/],
    ["esm", "bundle.mjs", /Dynamic require of "module" is not supported/],
  ] as const) {
    const bundle = async (folder: string, external: string[]) => {
      const stdin = { contents, resolveDir: root };
      const outfile = join(folder, file);
      const platform = "node";
      await build({ stdin, outfile, format, platform, external, bundle: true });
      return run(process.execPath, [outfile]);
    };
    await (await bundle(project(), [])).stderr.next(why);
    const alone = await bundle(temporary(), ["zeromq"]);
    await alone.stderr.next(/Cannot find (module|package) 'zeromq'/);
    const whole = await bundle(project(), ["zeromq"]);
    assert.equal(await whole.status(), 0);
  }
});
