// npm run doctor: says whether this machine can run the examples, or else which
// layer is broken, why, and what to do. Each layer needs those before it.
// Plain JavaScript, without packages, since those may be what is broken.
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { devNull, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the examples bind, on 127.0.0.1 and in the temporary folder. */
const ports = [5566, 5567, 5568];
const ipcFile = "waynes-world.ipc";

const isWindows = process.platform === "win32";
const variable = isWindows ? "TEMP" : "TMPDIR";
const otherFolder = `set ${variable} to another folder, with a short path.`;
const reinstall = "Remove the folder node_modules, and run npm ci.";
const stillRunning = "Is an example still running in another terminal? End it there with Ctrl-C.";

const layers = [
  { title: "Node", check: checkNode },
  { title: "the packages work", check: checkPackages },
  { title: "a script starts", check: checkScripts },
  { title: "messages pass", check: checkMessages },
  { title: "the endpoints are free", check: checkEndpoints },
];

// With a layer's title as argument, checks that one only: see checkElsewhere().
const only = layers.find(({ title }) => title === process.argv[2]);
if (only) await only.check();
else checkAll();

function checkAll() {
  for (const [index, { title, check }] of layers.entries()) {
    const layer = index + 1;
    console.log(`Layer ${layer}: ${title}`);
    try {
      if (layer < 4) check();
      else checkElsewhere(title); // with zeromq, which may crash
    } catch (error) {
      broken(`${error}`, remedyFor(`${error}`));
    }
    if (!process.exitCode) continue;
    return console.log(`\nYour setup does not work: layer ${layer}, "${title}", is broken.`);
  }
  console.log("\nYour setup works.");
}

/** @param {string} title of a layer to check in a process of its own */
function checkElsewhere(title) {
  const { ok, output, reason } = run(process.execPath, ["tools/doctor.js", title]);
  process.stdout.write(output);
  if (output.includes("✖")) process.exitCode = 1;
  else if (!ok) broken(`zeromq crashes, or never ends: ${reason}`, reinstall);
}

function checkNode() {
  const { bun, deno, node } = process.versions;
  if (bun || deno) {
    const cause = `This is ${bun ? "Bun" : "Deno"}, not Node, which the examples are made for.`;
    return broken(cause, "Use node tools/doctor.js,\nfor a script node --import tsx server.ts.");
  }
  process.chdir(fileURLToPath(new URL("..", import.meta.url)));
  const { engines } = JSON.parse(fs.readFileSync("package.json", "utf8"));
  const oldest = engines.node.replace(">=", "");
  if (node.localeCompare(oldest, undefined, { numeric: true }) < 0) {
    const cause = `Node ${node} is too old: package.json asks for ${engines.node}.`;
    return broken(cause, "Install a newer Node, then run npm install again.");
  }
  print("✔", `Node ${node} on ${process.platform} ${process.arch}`);
}

function checkPackages() {
  const loadTsx = 'require("esbuild").transformSync("")';
  const loadZeromq = `const { Pair, version } = require("zeromq"); new Pair().close();
    console.log("with libzmq", version)`;
  for (const [name, code] of [
    ["tsx", loadTsx],
    ["zeromq", loadZeromq],
  ]) {
    let manifest;
    try {
      manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    } catch {
      return broken(`${name} is not installed.`, "Run npm install first.");
    }
    const { version } = JSON.parse(fs.readFileSync(manifest, "utf8"));
    const { ok, output, reason } = run(process.execPath, ["-e", code], dirname(manifest));
    if (!ok) return broken(`${name} does not work: ${reason}`, remedyFor(reason));
    print("✔", `${name} ${version} ${output}`);
  }
}

/** @param {string} reason why a package does not work, or a script that needs it */
function remedyFor(reason) {
  if (/EMFILE|too many open files/i.test(reason)) return "Allow more open files: ulimit -n 1024";
  if (/mkdtemp/.test(reason)) {
    return `Create the folder ${tmpdir()}, or set ${variable} to one where you may write.`;
  }
  if (/another platform|"@esbuild.* could not be found/.test(reason)) {
    return `The packages were installed for another system. ${reinstall}`;
  }
  if (/EACCES|not permitted|failed to map/.test(reason)) {
    return "Programs may not run here: a disk mounted noexec? Move the repository.";
  }
  return (
    `${reinstall} zeromq has addons for Linux (x64, arm64), macOS and Windows. ` +
    "Elsewhere, npm builds one, if it finds a C++ compiler, CMake, Ninja and vcpkg."
  );
}

function checkScripts() {
  // The examples need a temporary folder, and zeromq many files.
  fs.rmdirSync(fs.mkdtempSync(join(tmpdir(), "doctor-")));
  const files = Array.from({ length: 100 }, () => fs.openSync(devNull, "r"));
  files.forEach((file) => fs.closeSync(file));

  const script = "waynes-world/camera1.ts";
  const complaint = "Invalid argument"; // of a script that has started, about "?"
  const tsx = run(process.execPath, ["--import", "tsx", script, "?"]);
  if (!tsx.reason.includes(complaint)) {
    return broken(`${script} does not start: ${tsx.reason}`, remedyFor(tsx.reason));
  }
  print("✔", "with node --import tsx");

  if (isWindows) return print("-", "skipped: Windows has no first lines and run bits");
  for (const folder of fs.readdirSync(".")) {
    if (!fs.existsSync(`${folder}/server.ts`)) continue;
    for (const file of fs.readdirSync(folder)) {
      const path = `${folder}/${file}`;
      if (!file.endsWith(".ts") || fs.statSync(path).mode & 0o100) continue;
      broken(`${path} lacks its run bit.`, `Restore it: chmod +x ${path}`);
    }
  }
  if (process.exitCode) return;
  const { reason } = run(`./${script}`, ["?"]);
  if (reason.includes(complaint)) return print("✔", "with its first line");
  print("-", `skipped: ${reason}\nStart the scripts with node --import tsx server.ts.`);
}

async function checkMessages() {
  // As long a path as the examples'.
  const path = join(tmpdir(), `${process.pid}.ipc`.padStart(ipcFile.length, "zmq-"));
  for (const [way, endpoint, remedy] of [
    ["within one process", "inproc://doctor", reinstall],
    ["over TCP on 127.0.0.1", "tcp://127.0.0.1:*", "Is the loopback up? Does a firewall guard it?"],
    [`over IPC in ${tmpdir()}`, `ipc://${path}`, `If it is too long: ${otherFolder}`],
  ]) {
    await report(way, sendMessage(endpoint), remedy);
  }
  await fs.promises.unlink(path).catch(() => {}); // libzmq leaves it behind
}

/** @param {string} endpoint where one socket binds, and another connects */
async function sendMessage(endpoint) {
  const { Pair } = await import("zeromq");
  const one = new Pair({ receiveTimeout: 5000 });
  const other = new Pair({ linger: 0, sendTimeout: 5000 });
  try {
    await one.bind(endpoint);
    other.connect(one.lastEndpoint ?? endpoint);
    await other.send("hello");
    await one.receive();
  } finally {
    one.close();
    other.close();
  }
}

async function checkEndpoints() {
  for (const port of ports) {
    await report(`TCP port ${port}`, bind(`tcp://127.0.0.1:${port}`), stillRunning);
  }

  const path = join(tmpdir(), ipcFile);
  // A bind would take the path away from a server.
  const { Subscriber } = await import("zeromq");
  const socket = new Subscriber();
  const served = await new Promise((resolve) => {
    socket.events.on("connect", () => resolve(true));
    socket.events.on("connect:retry", () => resolve(false));
    socket.connect(`ipc://${path}`);
  });
  socket.close();
  if (served) return broken(`IPC path ${path}: Address already in use`, stillRunning);
  const owner = isWindows ? undefined : fs.lstatSync(path, { throwIfNoEntry: false })?.uid;
  const whose = owner === process.getuid?.() ? "yours" : `user ${owner}'s`;
  const remedy = `The file there is ${whose}. Remove it, or ${otherFolder}`;
  await report(`IPC path ${path}`, bind(`ipc://${path}`), remedy);
  // What libzmq leaves behind may be in another user's way.
  if (!process.exitCode) await fs.promises.unlink(path).catch(() => {});
}

/**
 * Prints whether something works.
 * @param {string} what @param {Promise<void>} attempt @param {string} remedy
 */
function report(what, attempt, remedy) {
  return attempt.then(
    () => print("✔", what),
    ({ code, message }) => {
      if (code === "EAFNOSUPPORT" && /IPC/.test(what)) print("-", "skipped: no IPC on this system");
      else broken(`${what}: ${message}`, remedy);
    },
  );
}

/** @param {string} endpoint to bind for a moment */
async function bind(endpoint) {
  const { Pair } = await import("zeromq");
  const socket = new Pair();
  // On Windows, a process that ends with an open socket may crash.
  await socket.bind(endpoint).finally(() => socket.close());
}

/**
 * Runs a command in a process of its own, which may crash, or never end.
 * @param {string} command @param {string[]} args @param {string} [cwd]
 */
function run(command, args, cwd) {
  const child = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 20_000 });
  const errors = `${child.error ?? child.stderr}`;
  const [line] = /(?<=Error:\s+)\S.*/.exec(errors) ?? errors.trim().split("\n");
  const reason = line || `${child.signal ?? `exit status ${child.status}`}`;
  return { ok: child.status === 0, output: `${child.stdout}`, reason };
}

/** @param {string} cause @param {string} remedy */
function broken(cause, remedy) {
  print("✖", `${cause}\n${remedy}`);
  process.exitCode = 1;
}

/** Prints a text within 80 columns. @param {string} sign @param {string} text */
function print(sign, text) {
  const lines = text.trim().replace(/(.{1,75})(?:\s|$)/g, "$1\n    ");
  console.log(`  ${sign} ${lines.trimEnd()}`);
}
