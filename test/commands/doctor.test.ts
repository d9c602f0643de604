// What `npm run doctor` says on machines that are broken in one way or another:
// copies of the repository, with ports and a temporary folder of their own.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Publisher, version as libzmq } from "zeromq";
import { startProgram } from "../../tools/child.ts";
import { freePort, temporaryFolder } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { defaultsOf, examples, noIpc, open, project, servers } from "../support.ts";

const LAYERS = [
  "Node",
  "the packages work",
  "a script starts",
  "messages pass",
  "the endpoints are free",
];
const { packages } = JSON.parse(read("package-lock.json"));
const skip = process.platform === "win32" && "Windows has no such thing";

/** A good machine, if its folder is one where the packages are found. */
async function machine(folder = join(project(), "with blanks, and an ü")) {
  const at = (path: string) => join(folder, path);
  const copy = (path: string) => fs.cpSync(join(root, path), at(path), { recursive: true });
  const edit = (path: string, from: string | RegExp, to: string) =>
    fs.writeFileSync(at(path), fs.readFileSync(at(path), "utf8").replace(from, to));

  ["package.json", "tools/doctor.js", ...examples].forEach(copy);
  const ports = await Promise.all(servers.map(freePort));
  edit("tools/doctor.js", /(?<=const ports = \[).+(?=\])/, ports.join(", "));
  const command = [process.execPath, at("tools/doctor.js")];
  const tmp = temporaryFolder();
  return { at, command, copy, edit, env: { TMPDIR: tmp, TEMP: tmp }, ports, tmp };
}

type Machine = Awaited<ReturnType<typeof machine>>;

/** Expects the doctor to find a layer broken, or none, and returns its lines, as one. */
async function examine({ command: [program, ...args], env }: Machine, broken?: number) {
  const doctor = startProgram(program, args, { cwd: temporaryFolder(), env });
  const status = await doctor.exitStatus();
  const screen = doctor.stdout.all.join(" ").replace(/\s+/g, " ");
  for (const line of doctor.stdout.all) {
    assert.doesNotMatch(line, /^ +at /, "a stack trace");
    assert.doesNotMatch(line, /^.{4}.* .{75}/, "a line that should have been broken");
  }
  assert.deepEqual(doctor.stderr.all, []);
  const verdict = broken
    ? `Your setup does not work: layer ${broken}, "${LAYERS[broken - 1]}", is broken.`
    : "Your setup works.";
  assert.equal(doctor.stdout.all.at(-1), verdict, doctor.stdout.all.join("\n"));
  assert.equal(status, broken ? 1 : 0);
  const reached = LAYERS.filter((title, n) => screen.includes(`Layer ${n + 1}: ${title} `));
  assert.deepEqual(reached, LAYERS.slice(0, broken));
  return screen;
}

test("all is well: it names what there is, and no socket's file stays behind", async () => {
  const good = await machine();
  const screen = await examine(good);
  const version = (name: string) => packages[`node_modules/${name}`].version;
  const parts = [
    `✔ Node ${process.versions.node} `,
    `✔ tsx ${version("tsx")} ✔ zeromq ${version("zeromq")} with libzmq ${libzmq} `,
    ...good.ports.map((port) => `✔ TCP port ${port} `),
  ];
  for (const part of parts) assert.ok(screen.includes(part), `${part} is not in ${screen}`);
  assert.deepEqual(
    fs.readdirSync(good.tmp).filter((name) => name.endsWith(".ipc")),
    [],
  );
});

test("the endpoints of layer 5 are those that the servers bind", () => {
  const [constants] = /const ports.+\nconst ipcFile.+/.exec(read("tools/doctor.js")) ?? [""];
  assert.deepEqual(constants.match(/\d+|[\w-]+\.ipc/g)?.sort(), servers.flatMap(defaultsOf).sort());
});

test("an install for production is enough", async () => {
  const good = await machine(temporaryFolder());
  for (const path of Object.keys(packages)) {
    if (path && !packages[path].dev && fs.existsSync(join(root, path))) good.copy(path);
  }
  await examine(good);
});

test("an `env` without -S is no obstacle, but needs a hint", { skip }, async () => {
  const good = await machine();
  const env = join(temporaryFolder(), "env"); // as that of BusyBox
  fs.writeFileSync(env, "#!/bin/sh\necho 'env: unrecognized option: S' >&2; exit 1\n", {
    mode: 0o755,
  });
  good.edit("waynes-world/camera1.ts", "/usr/bin/env", env);
  const hint = /- skipped: env: unrecognized option: S Start the .* node --import tsx/;
  assert.match(await examine(good), hint);
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
    assert.match(await examine(bad, layer), says);
  });
}

const install = ({ copy }: Machine, ...names: string[]) =>
  names.forEach((name) => copy(`node_modules/${name}`));

for (const name of ["Bun", "Deno"]) {
  const versions = `{ value: { ...process.versions, ${name.toLowerCase()}: "1.0.0" } }`;
  const code = `data:text/javascript,Object.defineProperty(process, "versions", ${versions})`;
  const says = RegExp(`This is ${name}, not Node.* node tools/doctor\\.js`);
  broken(`this is ${name}`, 1, says, ({ command }) => command.splice(1, 0, "--import", code));
}

broken(
  "Node is too old",
  1,
  /is too old: package\.json asks for >=99\. Install a newer Node/,
  ({ edit }) => edit("package.json", />=[\d.]+/, ">=99"),
);

broken("nothing is installed", 2, /tsx is not installed\. Run npm install first\./, () => {});

const otherSystem = /for another system\. Remove the folder node_modules, and run npm ci\./;
broken("the packages are those of another system", 2, otherSystem, (good) => {
  install(good, "tsx", "esbuild");
  const other = process.platform === "darwin" ? "linux-x64" : "darwin-arm64";
  fs.mkdirSync(good.at(`node_modules/@esbuild/${other}`), { recursive: true });
});

const noAddon = /Failed to load zeromq\.js addon.* npm ci.* CMake, Ninja and vcpkg\./;
broken("the native addon is missing", 2, noAddon, (good) => {
  install(good, "tsx", "esbuild", "@esbuild", "cmake-ts");
  install(good, "zeromq/package.json", "zeromq/lib"); // no build
});

broken(
  "too few files may be open",
  3,
  /too many open files.* ulimit -n 1024/,
  ({ command }) => command.unshift("sh", "-c", 'ulimit -n 40; exec "$0" "$@"'),
  skip,
);

const noFolder =
  /E(NOENT|ACCES).* Create the folder .* set T(MPDIR|EMP) to one where you may write\./;
broken("there is no temporary folder", 3, noFolder, (good) => {
  good.env.TMPDIR = good.env.TEMP = good.at("nowhere");
});

broken(
  "the temporary folder is read-only",
  3,
  noFolder,
  ({ tmp }) => fs.chmodSync(tmp, 0o555),
  skip || (process.getuid?.() === 0 && "root may write"),
);

broken(
  "a script lacks its run bit",
  3,
  /Restore it: chmod \+x eventloop\/client\.ts/,
  ({ at }) => fs.chmodSync(at("eventloop/client.ts"), 0o644),
  skip,
);

const tooLong = /✖ over IPC.* name too long.* set T(MPDIR|EMP) to another folder/;
broken(
  "the temporary folder has a long path",
  4,
  tooLong,
  ({ env, tmp }) => {
    env.TMPDIR = env.TEMP = join(tmp, "x".repeat(90));
    fs.mkdirSync(env.TMPDIR);
  },
  noIpc,
);

const crashes = /✖ zeromq crashes.* Remove the folder node_modules, and run npm ci\./;
broken("zeromq crashes when a message is sent", 4, crashes, (good) => {
  install(good, "zeromq");
  const crash = "\nexports.Pair = class extends exports.Pair { send() { process.abort(); } };";
  good.edit("node_modules/zeromq/lib/index.js", /$/, crash);
});

const inUse = /✔ TCP port \d+ ✖ TCP port \d+: Address already in use Is an example .* ✔ TCP port/;
broken("a port is taken", 5, inUse, ({ ports }) =>
  open(new Publisher()).bind(`tcp://127.0.0.1:${ports[1]}`),
);

test("broken: a server is at the IPC path, and keeps it", { skip: noIpc }, async () => {
  const bad = await machine();
  await open(new Publisher()).bind(`ipc://${join(bad.tmp, "waynes-world.ipc")}`);
  const says = /✖ IPC path .*world\.ipc: Address already in use Is an example still/;
  assert.match(await examine(bad, 5), says);
  assert.match(await examine(bad, 5), says); // a path that was taken away would be free by now
});

const inTheWay = /world\.ipc: .* The file there is yours\. Remove it, or set T(MPDIR|EMP) to/;
broken(
  "a folder is at the IPC path",
  5,
  inTheWay,
  ({ tmp }) => fs.mkdirSync(join(tmp, "waynes-world.ipc")),
  noIpc,
);
