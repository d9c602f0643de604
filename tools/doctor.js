// npm run doctor: prints whether this machine can run the examples, or else which
// layer is broken, why, and what to do. Each layer needs those before it.
// Plain JavaScript, without packages, since those may be what is broken.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the examples bind, on 127.0.0.1 and in the temporary folder. */
const ports = [5566, 5567, 5568];
const ipcFile = "waynes-world.ipc";

const isWindows = process.platform === "win32";
const variable = isWindows ? "TEMP" : "TMPDIR";
const otherFolder = `set ${variable} to another folder, with a short path.`;
const reinstall = "Remove the folder node_modules, and run npm ci.";

const works = (/** @type {string} */ what) => console.log(`  ✔ ${what}`);
const skipped = (/** @type {string} */ why) => console.log(`  - skipped: ${why}`);

const layers = [
  { title: "Node", check: checkNode },
  { title: "the packages work", check: checkPackages },
  { title: "a script starts", check: checkScripts },
  { title: "messages pass", check: checkMessages },
  { title: "the endpoints are free", check: checkEndpoints },
];
let layer = 0;
let isBroken = false; // this layer
for (const { title, check } of layers) {
  console.log(`Layer ${++layer}: ${title}`);
  await check();
  if (!isBroken) continue;
  console.log(`\nYour setup does not work: layer ${layer}, "${title}", is broken.`);
  process.exitCode = 1;
  break;
}
if (!isBroken) console.log("\nYour setup works.");

function checkNode() {
  const { bun, deno, node } = process.versions;
  if (bun || deno) {
    const cause = `This is ${bun ? "Bun" : "Deno"}, not Node, which the examples are made for.`;
    return broken(cause, "Use node tools/doctor.js, and node --import tsx for the scripts.");
  }
  process.chdir(fileURLToPath(new URL("..", import.meta.url)));
  const { engines } = JSON.parse(fs.readFileSync("package.json", "utf8"));
  const oldest = engines.node.replace(">=", "");
  if (node.localeCompare(oldest, undefined, { numeric: true }) < 0) {
    const cause = `Node ${node} is too old: package.json asks for ${engines.node}.`;
    return broken(cause, "Install a newer Node, then run npm install again.");
  }
  works(`Node ${node} on ${process.platform} ${process.arch}`);
}

function checkPackages() {
  if (process.versions.pnp) {
    const cause = "Yarn's Plug'n'Play makes no folder node_modules, which the examples need.";
    return broken(cause, "Write nodeLinker: node-modules into .yarnrc.yml, and run yarn install.");
  }
  const loadZeromq = 'const { Pair, version } = require("zeromq"); new Pair().close();';
  for (const [name, code] of [
    ["tsx", 'require("esbuild").transformSync("")'],
    ["zeromq", `${loadZeromq} console.log(" with libzmq", version)`],
  ]) {
    let manifest;
    try {
      manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    } catch {
      return broken(`${name} is not installed.`, "Run npm install first.");
    }
    const { ok, output, reason } = run(process.execPath, ["-e", code], dirname(manifest));
    if (!ok) return broken(`${name} does not work: ${reason}`, remedyFor(reason));
    const { version } = JSON.parse(fs.readFileSync(manifest, "utf8"));
    works(`${name} ${version}${output.trimEnd()}`);
  }
}

/** @param {string} reason why a package does not work */
function remedyFor(reason) {
  if (/another platform|"@esbuild.* could not be found/.test(reason)) {
    return `The packages were installed for another system. ${reinstall}`;
  }
  if (/spawn.* EACCES|failed to map/.test(reason)) {
    return "Programs may not run here: a disk mounted noexec? Move the repository.";
  }
  return `${reinstall}
    zeromq has addons for Linux (x64, arm64), macOS and Windows. Elsewhere,
    npm builds one, if it finds a C++ compiler, CMake, Ninja and vcpkg.`;
}

function checkScripts() {
  try {
    // The examples need a temporary folder, and zeromq many files.
    fs.rmdirSync(fs.mkdtempSync(join(tmpdir(), "doctor-")));
    const files = Array.from({ length: 100 }, () => fs.openSync("package.json", "r"));
    files.forEach((file) => fs.closeSync(file));
  } catch (error) {
    const remedy = `Create the folder ${tmpdir()}, or set ${variable} to one where you may write.`;
    return broken(`${error}`, remedy);
  }

  const script = "waynes-world/camera1.ts";
  const complaint = "Invalid argument"; // of a script that has started, about "?"
  const tsx = run(process.execPath, ["--import", "tsx", script, "?"]);
  if (!tsx.reason.includes(complaint)) {
    const remedy = `If you have changed it, undo that. If not: ${reinstall}`;
    return broken(`${script} does not start: ${tsx.reason}`, remedy);
  }
  works("with node --import tsx");

  if (isWindows) return skipped("Windows has no first lines and run bits");
  const { reason } = run(`./${script}`, ["?"]);
  if (reason.includes(complaint)) works("with its first line");
  else skipped(`${reason}\n    Start the scripts with node --import tsx server.ts.`);
}

async function checkMessages() {
  const code = `
    import { Pair } from "zeromq";
    const [, endpoint] = process.argv;
    const one = new Pair({ receiveTimeout: 10_000 }); // ms
    const other = new Pair({ sendTimeout: 10_000, linger: 0 });
    await one.bind(endpoint);
    other.connect(one.lastEndpoint ?? endpoint);
    await other.send("hello");
    await one.receive();
    // On Windows, a process that ends with an open socket may crash.
    one.close();
    other.close();`;
  // As long a path as the examples'.
  const path = join(tmpdir(), `doctor.${process.pid}`.padEnd(ipcFile.length, "_"));
  for (const [way, endpoint, remedy] of [
    ["within one process", "inproc://doctor", reinstall],
    ["over TCP on 127.0.0.1", "tcp://127.0.0.1:*", "Is the loopback up? Does a firewall guard it?"],
    [`over IPC in ${tmpdir()}`, `ipc://${path}`, `If its path is too long: ${otherFolder}`],
  ]) {
    const { ok, reason } = run(process.execPath, ["--input-type=module", "-e", code, endpoint]);
    if (ok) works(way);
    else if (/address family/i.test(reason)) skipped("no IPC on this system");
    else broken(`${way}: ${reason}`, remedy);
    if (isBroken) break;
  }
  await fs.promises.unlink(path).catch(() => {}); // libzmq leaves it behind
}

async function checkEndpoints() {
  const inUse = `Is an example still running in another terminal? End it there with Ctrl-C.
    Or give the scripts another endpoint: server.ts tcp://127.0.0.1:PORT`;
  // Not bind(): it takes a path away from a server, and waiting clients would connect to us.
  for (const port of ports) {
    const error = await knock({ port, host: "127.0.0.1" });
    if (error === "ECONNREFUSED") works(`TCP port ${port}`);
    else broken(`TCP port ${port}: ${error ?? "a server is there"}`, inUse);
  }

  const path = join(tmpdir(), ipcFile);
  // On Windows, Node cannot connect there. A server that is there has a port as well.
  const error = isWindows ? "ENOENT" : await knock({ path });
  // A socket where nobody listens is a dead server's. The next server replaces it.
  const isLeftover = error === "ECONNREFUSED" && fs.lstatSync(path).isSocket();
  if (isLeftover || error === "ENOENT") return works(`IPC path ${path}`);
  if (!error) return broken(`IPC path ${path}: a server is there`, inUse);
  const cause = `IPC path ${path}: the file there is another user's, or not a socket (${error})`;
  broken(cause, `Remove it, if you may, or ${otherFolder}`);
}

/** Connects: an error's code, or none where a server is. @param {net.NetConnectOpts} address */
async function knock(address) {
  const client = net.connect(address);
  const [code] = await once(client, "connect").catch((error) => [error.code]);
  client.destroy();
  return code;
}

/**
 * Runs a command in a process of its own, which may crash, or never end.
 * @param {string} command @param {string[]} args @param {string} [cwd]
 */
function run(command, args, cwd) {
  // Settings that change what Node prints are not passed on.
  const env = { ...process.env };
  for (const name in env) if (/^(NODE_|FORCE_COLOR)/i.test(name)) delete env[name];
  const child = spawnSync(command, args, { cwd, env, encoding: "utf8", timeout: 30_000 });
  const errors = [child.stderr, child.error].join("\n").trim();
  // The last words of Node or a package, of Go, or of libzmq.
  const error = /(?<=Error( \[\w+\])?:\s+)\S[^\n\]]*|.*(OS thread|thread_create|\.cpp:).*/;
  const end = `it ended with ${child.signal ?? `status ${child.status}`}`;
  const [reason] = error.exec(errors) ?? [`${end}: ${errors.split("\n")[0]}`];
  return { ok: child.status === 0, output: child.stdout, reason };
}

/** @param {string} cause @param {string} remedy unless a limit of the machine is the cause */
function broken(cause, remedy) {
  isBroken = true;
  if (/EMFILE|too many open file/i.test(cause)) remedy = "Allow more open files: ulimit -n 1024";
  // Without threads, Node may also wait forever, or abort without a word.
  const noThread = /EAGAIN|OS thread|thread_create|temporarily|spawn.* ETIMEDOUT|SIGABRT: $/;
  if (noThread.test(cause)) {
    remedy = `Too few threads or processes? Allow more: ulimit -u 4096,
    or, in a container, docker run --pids-limit 4096`;
  }
  console.log(`  ✖ ${cause}\n    ${remedy}`);
}
