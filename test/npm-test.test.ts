// What `npm test` says on machines that are broken in one way or another: in
// copies of the repository, with one test, and a port of their own.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { Publisher } from "zeromq";
import { examples, root, run } from "../tools/script.ts";
import { freePort, project, temporary } from "../tools/temporary.ts";
import { open, test } from "../tools/test.ts";

const PROMISE = "test/promise.test.ts";
const ENDPOINTS = "test/setup/5-the-endpoints-are-free.test.ts";
const LAYERS =
  ["Node", "the packages work", "a script starts", "messages pass", "the endpoints are free"];
const IPC = "waynes-world.ipc";
const skip = process.platform === "win32" && "Windows has no such thing";
const tmp = temporary(); // where tsx keeps what it has compiled

/** A good machine whose layers begin with this one, and what to break it with. */
async function machine(layer: number) {
  const folder = layer < 3 ? temporary() : project(); // has the packages
  const at = (path: string) => join(folder, path);
  const copy = (path: string) => fs.cpSync(join(root, path), at(path), { recursive: true });
  const install = (...names: string[]) =>
    names.forEach((name) => copy(`node_modules/${name}`));
  const write = (path: string, text: string) => fs.writeFileSync(at(path), text);
  const read = (path: string) => fs.readFileSync(at(path), "utf8");
  const edit = (path: string, from: string | RegExp, to: string) =>
    write(path, read(path).replace(from, to));

  ["package.json", "test/install.js", "test/run.ts", "tools"].forEach(copy);
  examples.forEach(copy);
  for (const file of fs.readdirSync(join(root, "test/setup"))) {
    if (Number(file[0]) >= layer) copy(`test/setup/${file}`);
  }
  const port = await freePort();
  edit(ENDPOINTS, "[5566, 5567, 5568]", `[${port}]`);
  write(PROMISE, 'import { test } from "node:test";\ntest("ok", () => {});\n');
  // TypeScript is broken: nothing needs it to run.
  fs.mkdirSync(at("node_modules/typescript"), { recursive: true });
  write("node_modules/typescript/package.json", "not to be found");

  const env: NodeJS.ProcessEnv = { TMPDIR: tmp, TEMP: tmp };
  /** Runs `npm test` there, after what a shell does `before`. */
  const judge = async (before = "", ...args: string[]) => {
    const { scripts } = JSON.parse(read("package.json"));
    let output = "";
    const lines = scripts.test.split(" && ");
    if (layer > 3) lines.shift(); // takes time
    for (const line of lines) {
      const node = [process.execPath, ...line.split(" ").slice(1), ...args];
      const shell = ["sh", "-c", `${before}; exec "$0" "$@"`];
      const [command, ...words] = before ? [...shell, ...node] : node;
      const script = run(command, words, { cwd: folder, env });
      const code = await script.status();
      output += [...script.stdout.all, ...script.stderr.all, ""].join("\n");
      if (code !== 0) return { output, code };
    }
    return { output, code: 0 };
  };
  return { at, edit, env, install, judge, port, write };
}

test("an example that fails is not the setup's fault", async () => {
  const { judge, write } = await machine(5);
  write(PROMISE, `
    import { test } from "node:test";
    import assert from "node:assert";
    test("bad", () => assert.equal("x".repeat(2 ** 20), "y"));`);
  const { output, code } = await judge();
  assert.match(output, /✖ promise: bad\n +test.promise\.test\.ts:4: /);
  assert.match(output, /\n\d+ passed, 1 failed, \d skipped\nYour setup works, but/);
  assert.ok(output.length < 10_000);
  assert.equal(code, 1);
});

test("npm test -- WORD runs the files of that name only", async () => {
  const { judge, write } = await machine(5);
  write("test/promise-of-nothing.test.ts", "export {};");
  const { output, code } = await judge("", "promise");
  assert.match(output, /✔ promise: ok\n/);
  assert.match(output, /✖ test.promise-of-nothing\.test\.ts has no tests\n/);
  assert.match(output, /\n1 passed, 1 failed, 0 skipped\n/);
  assert.equal(code, 1);
});

test("a test that nobody runs is an error, and so is none", async () => {
  const { at, judge, write } = await machine(5);
  fs.rmSync(at(PROMISE));
  const { output } = await judge();
  assert.match(output, /There are no tests/);

  write("test/forgotten.ts", "");
  write("test/setup/forgotten.test.ts", "");
  const forgotten = await judge();
  assert.match(forgotten.output, /Nobody runs forgotten\.ts, setup.forgotten\.test\.ts/);
  assert.equal(forgotten.code, 1);
});

type Machine = Awaited<ReturnType<typeof machine>>;

/** Breaks a machine, and expects its layer to say so. (No `before` on Windows.) */
function broken(
  what: string,
  layer: number,
  says: RegExp,
  spoil: (good: Machine) => unknown,
  before = "",
) {
  test(`broken: ${what}`, { skip: before !== "" && skip }, async () => {
    const good = await machine(layer);
    await spoil(good);
    const { output, code } = await good.judge(before);
    assert.match(output, says);
    assert.doesNotMatch(output, /^ +at /m, "a stack trace");
    const verdict = `layer ${layer}, "${LAYERS[layer - 1]}", is broken.`;
    assert.ok(output.includes(`Your setup does not work: ${verdict}`), output);
    assert.equal(code, 1);
  });
}

broken("Node is too old", 1, /is too old: package\.json asks/, ({ edit }) =>
  edit("package.json", />=[\d.]+/, ">=99"),
);

broken("nothing is installed", 2, /Run npm install first/, () => {});

const otherSystem = /another system: remove the folder\s+node_modules, and run npm ci/;
broken("the packages are those of another system", 2, otherSystem, ({ at, install }) => {
  install("tsx", "esbuild", "@esbuild");
  const folder = at("node_modules/@esbuild");
  const [system] = fs.readdirSync(folder);
  const other = system.includes("darwin") ? "linux-x64" : "darwin-arm64";
  fs.renameSync(join(folder, system), join(folder, other));
});

const noAddon = /Failed to load zeromq\.js addon[^]*npm ci[^]*CMake, Ninja and vcpkg/;
broken("the native addon is missing", 2, noAddon, ({ install }) => {
  install("tsx", "esbuild", "@esbuild");
  install("cmake-ts", "zeromq/package.json", "zeromq/lib"); // no build
});

const tooMany = /too many open files[^]*ulimit -n 1024/i;
broken("too few files may be open", 3, tooMany, () => {}, "ulimit -n 40");

broken("no temporary folder", 3, /Create it, or set T/, ({ at, env }) => {
  env.TMPDIR = env.TEMP = at("nowhere");
});

const noBit = /chmod \+x eventloop\/client\.ts/;
broken("a script without its run bit", 3, noBit, () => {}, "chmod -x eventloop/client.ts");

broken("a long temporary folder", 4, /name too long[^]*set T/, ({ at, env }) => {
  env.TMPDIR = env.TEMP = at("x".repeat(90));
  fs.mkdirSync(env.TMPDIR);
});

const running = /in use\. An example may still[^]*ipc is taken\. An example may/;
broken("an example is still running", 5, running, async ({ env, port }) => {
  await once(createServer().listen(port, "127.0.0.1").unref(), "listening");
  env.TMPDIR = env.TEMP = temporary();
  await open(new Publisher()).bind(`ipc://${join(env.TMPDIR, IPC)}`);
});

const inTheWay = /\.ipc is there already, and is yours[^]*Remove it, or set T/;
broken("something else is at the IPC path", 5, inTheWay, ({ env }) => {
  env.TMPDIR = env.TEMP = temporary();
  fs.mkdirSync(join(env.TMPDIR, IPC));
});

test("`env: unrecognized option: S`", { skip }, async () => {
  const { at, edit, judge, write } = await machine(3);
  // As BusyBox's env does: it knows no -S.
  write("env", '#!/bin/sh\necho "env: unrecognized option: S" >&2; exit 1\n');
  fs.chmodSync(at("env"), 0o755);
  edit("waynes-world/camera1.ts", "/usr/bin/env", at("env"));
  const { output, code } = await judge();
  assert.match(output, /skipped: env: unrecognized option: S\. Start the/);
  assert.match(output, /with node --import tsx server\.ts/);
  assert.match(output, /\nYour setup works\.\n/);
  assert.match(output, /\nYour setup works, and so do the examples\.\n$/);
  assert.equal(code, 0);
});
