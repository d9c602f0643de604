// What `npm run doctor` says on machines that are broken in one way or another:
// copies of the repository, with ports and a temporary folder of their own.
import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Publisher, version as libzmq } from "zeromq";
import { run } from "../../tools/child.ts";
import { freePort, temporaryFolder } from "../../tools/endpoints.ts";
import { defaultsOf, examples, read, root, servers } from "../../tools/repository.ts";
import { noIpc, open, project } from "../support.ts";

const LAYERS =
  ["Node", "the packages work", "a script starts", "messages pass", "the endpoints are free"];
const WORKS = "Your setup works.";
const { packages } = JSON.parse(read("package-lock.json"));
const skip = process.platform === "win32" && "Windows has no such thing";

/** A good machine, if its folder is one where the packages are found. */
async function machine(folder = join(project(), "with blanks, and an ü")) {
  const at = (path: string) => join(folder, path);
  const copy = (path: string) => fs.cpSync(join(root, path), at(path), { recursive: true });
  const write = (path: string, text: string) => {
    fs.mkdirSync(dirname(at(path)), { recursive: true });
    fs.writeFileSync(at(path), text);
  };
  const edit = (path: string, from: string | RegExp, to: string) =>
    write(path, fs.readFileSync(at(path), "utf8").replace(from, to));

  ["package.json", "tools/doctor.js", ...examples].forEach(copy);
  const ports: number[] = [];
  for (const _ of servers) ports.push(await freePort());
  edit("tools/doctor.js", /(?<=const ports = \[).+(?=\])/, ports.join(", "));
  const command = [process.execPath, at("tools/doctor.js")];
  const tmp = temporaryFolder();
  return { at, command, copy, edit, env: { TMPDIR: tmp, TEMP: tmp }, ports, tmp, write };
}

type Machine = Awaited<ReturnType<typeof machine>>;

/** Expects the doctor to end with a verdict, and returns its lines, as one. */
async function examine({ command: [program, ...args], env }: Machine, verdict: string) {
  const doctor = run(program, args, { cwd: temporaryFolder(), env });
  const status = await doctor.exited();
  for (const line of doctor.stdout.all) {
    assert.doesNotMatch(line, /^ +at /, "a stack trace");
    assert.doesNotMatch(line, /^.{4}.* .{75}/, "a line that should have been broken");
  }
  assert.deepEqual(doctor.stderr.all, []);
  assert.equal(doctor.stdout.all.at(-1), verdict, doctor.stdout.all.join("\n"));
  assert.equal(status, verdict === WORKS ? 0 : 1);
  return doctor.stdout.all.join(" ").replace(/\s+/g, " ");
}

test("all is well: five layers, the versions, and no socket's file stays behind", async () => {
  const good = await machine();
  const screen = await examine(good, WORKS);
  const version = (name: string) => packages[`node_modules/${name}`].version;
  for (const part of [
    ...LAYERS.map((title, n) => `Layer ${n + 1}: ${title} ✔ `),
    `✔ Node ${process.versions.node} `,
    `✔ tsx ${version("tsx")} ✔ zeromq ${version("zeromq")} with libzmq ${libzmq} `,
    ...good.ports.map((port) => `✔ TCP port ${port} `),
  ]) {
    assert.ok(screen.includes(part), `${part} is not in ${screen}`);
  }
  assert.deepEqual(fs.readdirSync(good.tmp).filter((name) => name.endsWith(".ipc")), []);
});

test("the endpoints of layer 5 are those that the servers bind", () => {
  const bound = servers.flatMap(defaultsOf);
  const [constants] = /const ports.+\nconst ipcFile.+/.exec(read("tools/doctor.js")) ?? [""];
  assert.deepEqual(constants.match(/\d+|[\w-]+\.ipc/g)?.sort(), bound.sort());
});

test("an install for production is enough", async () => {
  const good = await machine(temporaryFolder());
  for (const path of Object.keys(packages)) {
    if (path && !packages[path].dev && fs.existsSync(join(root, path))) good.copy(path);
  }
  await examine(good, WORKS);
});

test("an `env` without -S is no obstacle, but needs a hint", { skip }, async () => {
  const good = await machine();
  const env = join(temporaryFolder(), "env"); // as that of BusyBox
  fs.writeFileSync(env, "#!/bin/sh\necho 'env: unrecognized option: S' >&2; exit 1\n");
  fs.chmodSync(env, 0o755);
  good.edit("waynes-world/camera1.ts", "/usr/bin/env", env);
  const screen = await examine(good, WORKS);
  assert.match(screen, /- skipped: env: unrecognized option: S Start the .* node --import tsx/);
});

/** Breaks a good machine, and expects the doctor to name the layer, and why. */
function broken(
  what: string,
  layer: number,
  says: RegExp,
  spoil: (good: Machine) => unknown,
  skip: string | false = false,
) {
  test(`broken: ${what}`, { skip }, async () => {
    const bad = await machine(layer < 3 ? temporaryFolder() : undefined); // no packages
    await spoil(bad);
    const verdict = `layer ${layer}, "${LAYERS[layer - 1]}", is broken.`;
    const screen = await examine(bad, `Your setup does not work: ${verdict}`);
    assert.match(screen, says);
    const reached = LAYERS.filter((title, n) => screen.includes(`Layer ${n + 1}: ${title} `));
    assert.deepEqual(reached, LAYERS.slice(0, layer));
  });
}

const install = ({ copy }: Machine, ...names: string[]) =>
  names.forEach((name) => copy(`node_modules/${name}`));

for (const name of ["Bun", "Deno"]) {
  const says = RegExp(`This is ${name}, not Node.* node tools/doctor\\.js`);
  broken(`this is ${name}`, 1, says, ({ command }) => {
    const versions = `{ ...process.versions, ${name.toLowerCase()}: "1.0.0" }`;
    const code = `Object.defineProperty(process, "versions", { value: ${versions} })`;
    command.splice(1, 0, "--import", `data:text/javascript,${encodeURIComponent(code)}`);
  });
}

const tooOld = /is too old: package\.json asks for >=99\. Install a newer Node/;
broken("Node is too old", 1, tooOld, ({ edit }) => edit("package.json", />=[\d.]+/, ">=99"));

broken("nothing is installed", 2, /tsx is not installed\. Run npm install first\./, () => {});

const otherSystem = /for another system\. Remove the folder node_modules, and run npm ci\./;
broken("the packages are those of another system", 2, otherSystem, (good) => {
  install(good, "tsx", "esbuild", "@esbuild");
  const folder = good.at("node_modules/@esbuild");
  const [system] = fs.readdirSync(folder);
  const other = system.includes("darwin") ? "linux-x64" : "darwin-arm64";
  fs.renameSync(join(folder, system), join(folder, other));
});

const noAddon = /Failed to load zeromq\.js addon.* npm ci.* CMake, Ninja and vcpkg\./;
broken("the native addon is missing", 2, noAddon, (good) => {
  install(good, "tsx", "esbuild", "@esbuild", "cmake-ts");
  install(good, "zeromq/package.json", "zeromq/lib"); // no build
});

const tooFew = /too many open files.* ulimit -n 1024/;
const ulimit = ["sh", "-c", 'ulimit -n 40; exec "$0" "$@"'];
broken("too few files may be open", 3, tooFew, ({ command }) => command.unshift(...ulimit), skip);

const noFolder = /ENOENT.* Create it, or set T(MPDIR|EMP) to a folder where you may write\./;
broken("there is no temporary folder", 3, noFolder, ({ at, env }) => {
  env.TMPDIR = env.TEMP = at("nowhere");
});

const isRoot = process.getuid?.() === 0 && "root may write anywhere";
const readOnly = /EACCES.* set TMPDIR to a folder/;
broken("the temporary folder is read-only", 3, readOnly,
  ({ tmp }) => fs.chmodSync(tmp, 0o555), skip || isRoot);

const noBit = /Restore it: chmod \+x eventloop\/client\.ts/;
broken("a script lacks its run bit", 3, noBit,
  ({ at }) => fs.chmodSync(at("eventloop/client.ts"), 0o644), skip);

const tooLong = /No message passes over IPC.* name too long.* set T(MPDIR|EMP) to another folder/;
broken("the temporary folder has a long path", 4, tooLong, ({ env, tmp }) => {
  env.TMPDIR = env.TEMP = join(tmp, "x".repeat(90));
  fs.mkdirSync(env.TMPDIR);
}, noIpc);

const crash = /✖ zeromq crashes.* Remove the folder node_modules, and run npm ci\./;
broken("zeromq crashes when a message is sent", 4, crash, ({ write }) => {
  write("node_modules/zeromq/package.json", "{}");
  write("node_modules/zeromq/index.js", `
    const { Pair, Subscriber } = require(${JSON.stringify(join(root, "node_modules/zeromq"))});
    class Crash extends Pair { send() { process.abort(); } }
    module.exports = { Pair: Crash, Subscriber };`);
});

const inUse = /✔ TCP port \d+ ✖ TCP port \d+: Address already in use Is an example .* ✔ TCP port/;
broken("a port is taken", 5, inUse, ({ ports }) =>
  once(createServer().listen(ports[1], "127.0.0.1").unref(), "listening"),
);

test("broken: a server is at the IPC path, and keeps it", { skip: noIpc }, async () => {
  const bad = await machine();
  await open(new Publisher()).bind(`ipc://${join(bad.tmp, "waynes-world.ipc")}`);
  const verdict = 'Your setup does not work: layer 5, "the endpoints are free", is broken.';
  const screen = await examine(bad, verdict);
  assert.match(screen, /✖ IPC path .*world\.ipc: Address already in use Is an example still/);
  await examine(bad, verdict); // a path that was taken away would be free by now
});

const inTheWay = /world\.ipc: .* The file there is yours\. Remove it, or set T(MPDIR|EMP) to/;
broken("a folder is at the IPC path", 5, inTheWay,
  ({ tmp }) => fs.mkdirSync(join(tmp, "waynes-world.ipc")), noIpc);
