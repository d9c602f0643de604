// What `npm test` says on machines that are broken in one way or another: in
// copies of the repository, with one test, and ports of their own.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { afterEach, test } from "node:test";
import { Publisher } from "zeromq";
import { freePort } from "../tools/endpoints.ts";
import { end, root, run } from "../tools/script.ts";
import { temporary } from "../tools/temporary.ts";

const windows = process.platform === "win32";
const PROMISE = "test/promise.test.ts";
const ENDPOINTS = "test/setup/5-the-endpoints-are-free.test.ts";

afterEach(end);

const served = new Publisher();

/** A good machine: a copy of the repository, and what to break it with. */
async function machine() {
  const folder = temporary();
  const at = (...path: string[]) => join(folder, ...path);
  const tmp = temporary();
  const env: NodeJS.ProcessEnv = { TMPDIR: tmp, TEMP: tmp };
  const port = await freePort();
  const write = (path: string, text: string) => fs.writeFileSync(at(path), text);
  const read = (path: string) => fs.readFileSync(at(path), "utf8");
  const edit = (path: string, from: string | RegExp, to: string) =>
    write(path, read(path).replace(from, to));

  for (const name of fs.readdirSync(root)) {
    if (name === ".git" || name === "node_modules") continue;
    fs.cpSync(join(root, name), at(name), {
      recursive: true,
      filter: (path) =>
        dirname(path) !== join(root, "test") || !path.endsWith(".test.ts"),
    });
  }
  write(PROMISE, 'import { test } from "node:test";\ntest("ok", () => {});\n');
  edit(ENDPOINTS, "[5566, 5567, 5568]", `[${port}]`);
  // All packages but TypeScript, which nothing needs to run.
  fs.mkdirSync(at("node_modules"));
  for (const name of fs.readdirSync(join(root, "node_modules"))) {
    if (!/^\w/.test(name) || name === "typescript") continue;
    const package_ = join("node_modules", name);
    fs.symlinkSync(join(root, package_), at(package_), "junction");
  }

  /** Copies packages, so that they can be broken. */
  const own = (...names: string[]) => {
    for (const name of names) {
      const package_ = join("node_modules", name);
      fs.rmSync(at(package_), { recursive: true, force: true });
      fs.cpSync(join(root, package_), at(package_), { recursive: true });
    }
  };

  /** Runs `npm test` there, after what a shell does `before`. */
  const judge = async (before = "", ...args: string[]) => {
    const { scripts } = JSON.parse(read("package.json"));
    let output = "";
    for (const line of scripts.test.split(" && ")) {
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
  return { at, edit, env, judge, own, port, tmp, write };
}

type Machine = Awaited<ReturnType<typeof machine>>;

test("an example that fails is not the setup's fault", async () => {
  const { judge, write } = await machine();
  write(
    PROMISE,
    `import { test } from "node:test";
     import assert from "node:assert";
     test("ok", () => {});
     test("bad", () => assert.equal("x".repeat(2 ** 20), "y"));`,
  );
  const { output, code } = await judge();
  assert.match(output, /✖ promise: bad\n +test.promise\.test\.ts:4: /);
  assert.match(output, /\n\d+ passed, 1 failed, \d skipped\nYour setup works, but/);
  assert.ok(output.length < 10_000);
  assert.equal(code, 1);
});

test("npm test -- WORD runs the files of that name only", async () => {
  const { judge, write } = await machine();
  const { output, code } = await judge("", "promise");
  assert.match(output, /✔ promise: ok\n\n1 passed, 0 failed/);
  assert.doesNotMatch(output, /Layer 3/);
  assert.equal(code, 0);

  write("test/empty.test.ts", "export {};");
  const empty = await judge("", "empty");
  assert.match(empty.output, /✖ test.empty\.test\.ts has no tests\n/);
  assert.equal(empty.code, 1);
});

test("a test that nobody runs is an error, and so is none", async () => {
  const { at, judge, write } = await machine();
  write("test/forgotten.ts", "");
  write("test/setup/forgotten.test.ts", "");
  const { output, code } = await judge();
  assert.match(output, /Nobody runs forgotten\.ts, setup.forgotten\.test\.ts/);
  assert.equal(code, 1);

  for (const name of ["forgotten.ts", "setup/forgotten.test.ts"]) {
    fs.rmSync(at("test", name));
  }
  fs.rmSync(at(PROMISE));
  const none = await judge();
  assert.match(none.output, /There are no tests/);
  assert.equal(none.code, 1);
});

/** Breaks a machine, and expects its layer to say so. */
function broken(
  what: string,
  layer: string,
  says: RegExp,
  spoil: (machine: Machine) => unknown,
  before = "",
) {
  const skip = before !== "" && windows && "Windows has no such thing";
  test(`broken: ${what}`, { skip }, async () => {
    const good = await machine();
    await spoil(good);
    for (const file of fs.readdirSync(good.at("test/setup"))) {
      if (file < layer) fs.rmSync(good.at("test/setup", file)); // takes time
    }
    const { output, code } = await good.judge(before);
    assert.match(output, says);
    assert.doesNotMatch(output, /^ +at /m, "a stack trace");
    const verdict = `Your setup does not work: layer ${layer}, is broken.`;
    assert.ok(output.includes(verdict), output);
    assert.equal(code, 1);
  });
}

const NODE = '1, "Node"';
const PACKAGES = '2, "the packages work"';
const STARTS = '3, "a script starts"';
const MESSAGES = '4, "messages pass"';
const FREE = '5, "the endpoints are free"';

broken("Node is too old", NODE, /is too old: package\.json asks/, ({ edit }) =>
  edit("package.json", />=[\d.]+/, ">=99"),
);

broken("nothing is installed", PACKAGES, /Run npm install first/, ({ at }) =>
  fs.rmSync(at("node_modules"), { recursive: true }),
);

broken(
  "the packages are those of another system",
  PACKAGES,
  /another system: remove the folder\s+node_modules, and run npm ci/,
  ({ at, own }) => {
    own("tsx", "esbuild", "@esbuild");
    const [system] = fs.readdirSync(at("node_modules/@esbuild"));
    const other = system.includes("darwin") ? "linux-x64" : "darwin-arm64";
    fs.renameSync(
      at("node_modules/@esbuild", system),
      at("node_modules/@esbuild", other),
    );
  },
);

broken(
  "the native addon is missing",
  PACKAGES,
  /Failed to load zeromq\.js addon[^]*npm ci[^]*CMake, Ninja and vcpkg/,
  ({ at, own }) => {
    own("zeromq", "cmake-ts");
    fs.rmSync(at("node_modules/zeromq/build"), { recursive: true });
  },
);

broken(
  "too few files may be open",
  STARTS,
  /too many open files[^]*ulimit -n 1024/i,
  () => {},
  "ulimit -n 40",
);

broken("no temporary folder", STARTS, /Create it, or set T/, ({ tmp }) =>
  fs.rmSync(tmp, { recursive: true }),
);

broken(
  "a script without its run bit",
  STARTS,
  /chmod \+x eventloop\/client\.ts/,
  ({ at }) => fs.chmodSync(at("eventloop/client.ts"), 0o644),
  "true",
);

broken("a long temporary folder", MESSAGES, /name too long[^]*set T/, (machine) => {
  const { env, tmp } = machine;
  env.TMPDIR = env.TEMP = join(tmp, "x".repeat(90));
  fs.mkdirSync(env.TMPDIR);
});

broken(
  "an example is still running",
  FREE,
  /in use\. An example may still[^]*waynes-world\.ipc is taken\. An example may/,
  async ({ port, tmp }) => {
    await once(createServer().listen(port, "127.0.0.1").unref(), "listening");
    await served.bind(`ipc://${join(tmp, "waynes-world.ipc")}`);
  },
);

broken(
  "something else is at the IPC path",
  FREE,
  /waynes-world\.ipc is there already, and is yours[^]*Remove it, or set T/,
  ({ tmp }) => fs.mkdirSync(join(tmp, "waynes-world.ipc")),
);

test("`env: unrecognized option: S`", {
  skip: windows && "Windows has no such thing",
}, async () => {
  const { at, edit, judge, write } = await machine();
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
