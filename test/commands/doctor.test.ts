// What `npm run doctor` prints on machines that are odd in one way or another: copies of the
// repository, with ports and a temporary folder of their own.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Publisher, Subscriber, version as libzmq, XPublisher } from "zeromq";
import { startProgram, TIMEOUT } from "../../tools/child.ts";
import { freePort, temporaryFolder } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import {
  close,
  connect,
  defaultsOf,
  noIpc,
  notOnWindows,
  open,
  preload,
  project,
  replace,
  servers,
  subscribe,
} from "../support.ts";

const LAYERS = read("tools/doctor.js").match(/(?<=title: ").*(?=")/g) ?? [];
const { resolve } = createRequire(import.meta.url);

/** Packages that do no more than what the doctor asks of them, and take no time for it. */
const FAKES = {
  esbuild: "exports.transformSync = () => {};",
  tsx: 'console.error("Error: Invalid argument"); process.exit(1);', // a script's, about "?"
  zeromq: "exports.Pair = class { bind() {} connect() {} send() {} receive() {} close() {} };",
};

const script = "waynes-world/camera1.ts";

/** A good machine. Without fakes, its folder must be one where the packages are found. */
async function machine(folder = temporaryFolder(), packages = Object.entries(FAKES)) {
  const at = (path: string) => join(folder, path);
  for (const path of ["package.json", "tools/doctor.js", script]) {
    fs.cpSync(join(root, path), at(path));
  }
  const ports = await Promise.all(servers.map(freePort));
  const doctor = at("tools/doctor.js");
  const code = replace(read("tools/doctor.js"), /(?<=const ports = ).*/g, `[${ports}];`);
  fs.writeFileSync(doctor, code);
  const install = (name: string, code: string) => {
    fs.mkdirSync(at(`node_modules/${name}`), { recursive: true });
    fs.writeFileSync(at(`node_modules/${name}/package.json`), '{ "version": "1.0.0" }');
    fs.writeFileSync(at(`node_modules/${name}/index.js`), code);
  };
  for (const [name, code] of packages) install(name, code);
  const tmp = temporaryFolder();
  const env: NodeJS.ProcessEnv = { TMPDIR: tmp, TEMP: tmp };
  const ipc = join(tmp, "waynes-world.ipc");
  return { at, command: [process.execPath, doctor], env, install, ports, tmp, ipc };
}

type Machine = Awaited<ReturnType<typeof machine>>;

const limitFiles = ({ command }: Machine, limit: number) =>
  command.unshift("sh", "-c", `ulimit -n ${limit}; exec "$0" "$@"`);

/** Expects the doctor to find a layer broken, or for 0 none, and returns its lines, as one. */
async function examine({ command: [program, ...args], env, tmp }: Machine, broken: number) {
  const files = () => fs.readdirSync(tmp).filter((name) => !name.startsWith("tsx-"));
  const before = files();
  const doctor = startProgram(program, args, { cwd: temporaryFolder(), env });
  const lines = doctor.stdout.all;
  assert.equal(await doctor.exitStatus(), broken ? 1 : 0, lines.join("\n"));
  assert.doesNotMatch(lines.join("\n"), /^ +at /m, "a stack trace");
  if (!env.NODE_OPTIONS) assert.deepEqual(doctor.stderr.all, []);
  const verdict = broken
    ? `Your setup does not work: layer ${broken}, "${LAYERS[broken - 1]}", is broken.`
    : "Your setup works.";
  assert.equal(lines.at(-1), verdict, lines.join("\n"));
  const reached = LAYERS.filter((title, n) => lines.includes(`Layer ${n + 1}: ${title}`));
  assert.deepEqual(reached, LAYERS.slice(0, broken || LAYERS.length));
  assert.deepEqual(files(), before, "what the doctor leaves behind, or takes away");
  return lines.join(" ").replace(/\s+/g, " ");
}

/** Changes a good machine, and expects the doctor to find a layer broken, or none, and why. */
function visit(
  what: string,
  broken: number,
  says: RegExp,
  change: (good: Machine) => unknown,
  skip: string | false = false,
) {
  test(broken ? `broken: ${what}` : `all is well: ${what}`, { skip }, async () => {
    const odd = await machine();
    await change(odd);
    assert.match(await examine(odd, broken), says);
  });
}

test("all is well: it names what there is, and takes no client from its server", async () => {
  const parent = notOnWindows ? project() : temporaryFolder();
  const good = await machine(join(parent, "with blanks, and an ü"), []);
  if (!notOnWindows) {
    // Only the dependencies, as links, like those of pnpm.
    fs.mkdirSync(good.at("node_modules"));
    for (const name of Object.keys(JSON.parse(read("package.json")).dependencies)) {
      fs.symlinkSync(dirname(resolve(`${name}/package.json`)), good.at(`node_modules/${name}`));
    }
    limitFiles(good, 1024);
    // What a dead server leaves at the IPC path.
    const dead = open(new Publisher());
    await dead.bind(`ipc://${good.ipc}`);
    await close(dead);
  }
  // Settings that make Node print, and clients so hasty that they find what is bound for a moment.
  const noise = { FORCE_COLOR: "3", NODE_DEBUG: "net", NODE_EXTRA_CA_CERTS: "nowhere" };
  Object.assign(good.env, noise, preload('console.error("Error: noise")'));
  const endpoints = good.ports.map((port) => `tcp://127.0.0.1:${port}`);
  if (!noIpc) endpoints.push(`ipc://${good.ipc}`);
  for (const endpoint of endpoints) {
    connect(new Subscriber({ reconnectInterval: 1 }), endpoint).subscribe();
  }
  const version = (name: string) => JSON.parse(read(`node_modules/${name}/package.json`)).version;
  const packages = `✔ tsx ${version("tsx")} ✔ zeromq ${version("zeromq")} with libzmq ${libzmq}`;
  const ports = `✔ TCP port ${good.ports.join(" ✔ TCP port ")}`;
  const says = RegExp(`✔ Node ${process.versions.node} .* ${packages} .* ${ports}`);
  assert.match(await examine(good, 0), says);
  for (const endpoint of endpoints) {
    const server = open(new XPublisher({ receiveTimeout: TIMEOUT }));
    await server.bind(endpoint);
    await server.receive(); // the subscription
  }
});

test("the endpoints of layer 5 are those that the servers bind", () => {
  const [constants] = /const ports.+\nconst ipcFile.+/.exec(read("tools/doctor.js")) ?? [""];
  assert.deepEqual(constants.match(/\d+|[\w-]+\.ipc/g)?.sort(), servers.flatMap(defaultsOf).sort());
});

const fewFiles = (bad: Machine) => limitFiles(bad, 40);
visit("40 open files", 3, /too many open files.* ulimit -n 1024/, fewFiles, notOnWindows);

const hint = "Start the scripts with node --import tsx server\\.ts\\.";
const noBit = RegExp(`- skipped: spawn.* EACCES ${hint}`);
visit("no run bit", 0, noBit, ({ at }) => fs.chmodSync(at(script), 0o644), notOnWindows);

// An `env` without -S complains of an option as well.
const noS = RegExp(`- skipped: .*env: .* option.* ${hint}`);
const wrongS = ({ at }: Machine) => fs.writeFileSync(at(script), "#!/usr/bin/env --S");
visit("`env` without -S", 0, noS, wrongS, notOnWindows);

/** Lets the doctor find other versions in `process.versions`. */
const versions = (other: string) => {
  const code = `const value = { ...process.versions, ${other} };
    Object.defineProperty(process, "versions", { value });`;
  return ({ env }: Machine) => Object.assign(env, preload(code));
};
const tooOld = /Node 20\.5\.1 is too old: package\.json asks for >=20\.6\. Install a newer Node/;
visit("Node is too old", 1, tooOld, versions('node: "20.5.1"'));
visit("Bun", 1, /This is Bun, not Node.* node tools\/doctor\.js/, versions('bun: "1.0.0"'));
visit("Deno", 1, /This is Deno, not Node.* node tools\/doctor\.js/, versions('deno: "1.0.0"'));
visit("Yarn made no node_modules", 2, /Yarn's Plug'n'Play .* nodeLinker/, versions('pnp: "3"'));
visit("nothing is installed", 2, /tsx is not installed\. Run npm install first\./, ({ at }) =>
  fs.rmSync(at("node_modules"), { recursive: true }),
);

const otherSystem = /for another system\. Remove the folder node_modules, and run npm ci\./;
const noAddon = /Remove the folder node_modules, and run npm ci\. .* CMake, Ninja and vcpkg\./;
const noThread = /Too few threads or processes\? .* ulimit -u \d+, .* docker run --pids-limit/;
for (const { name = "esbuild", prints, says } of [
  { prints: "Error: \nYou installed esbuild for another platform", says: otherSystem },
  { prints: "Error: spawn node_modules/esbuild EACCES", says: /mounted noexec\?/ },
  { prints: "Error: EAGAIN", says: noThread },
  { prints: "failed to create new OS thread\nError: The service was stopped", says: noThread },
  { name: "zeromq", prints: "Resource temporarily unavailable (thread.cpp:9)", says: noThread },
  { name: "zeromq", prints: "Error: Failed to load zeromq.js addon.node", says: noAddon },
]) {
  const message = JSON.stringify(prints);
  visit(`${name} ends with ${message}`, 2, says, ({ install }) =>
    install(name, `console.error(${message}); process.abort();`),
  );
}

const setTmp = ({ env, tmp }: Machine, to: string) => (env.TMPDIR = env.TEMP = join(tmp, to));
const noFolder = /E(NOENT|ACCES).* Create the folder .* or set T(MPDIR|EMP) to one where you may/;
visit("there is no temporary folder", 3, noFolder, (bad) => setTmp(bad, "nowhere"));

const tooLong = /✖ over IPC.* name too long.* set T(MPDIR|EMP) to another folder/;
const longPath = (bad: Machine) => {
  bad.install("zeromq", `exports.Pair = require(${JSON.stringify(resolve("zeromq"))}).Pair;`);
  fs.mkdirSync(setTmp(bad, "x".repeat(90)));
};
visit("a temporary folder with a long path", 4, tooLong, longPath, noIpc);

const crashes = /✖ within one process: it ended with .* Remove the folder .* npm ci\. Your setup/;
visit("zeromq crashes when a message is sent", 4, crashes, ({ install }) =>
  install("zeromq", replace(FAKES.zeromq, "send() {}", "send() { process.abort(); }")),
);

const inUse = /✔ TCP port \d+ ✖ TCP port \d+: a server is there Is an example .* ✔ TCP port/;
visit("a port is taken", 5, inUse, ({ ports }) =>
  open(new Publisher()).bind(`tcp://127.0.0.1:${ports[1]}`),
);

const inTheWay = /world\.ipc: the file there is .* Remove it, if you may, or set TMPDIR to/;
visit("a file at the IPC path", 5, inTheWay, ({ ipc }) => fs.writeFileSync(ipc, ""), notOnWindows);

test("broken: a server is at the IPC path, and keeps it", { skip: notOnWindows }, async () => {
  const bad = await machine();
  const server = open(new XPublisher({ receiveTimeout: TIMEOUT }));
  await server.bind(`ipc://${bad.ipc}`);
  const says = /✖ IPC path .*world\.ipc: a server is there Is an example still/;
  assert.match(await examine(bad, 5), says);
  await subscribe(server, `ipc://${bad.ipc}`);
});
