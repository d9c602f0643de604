// Layers 1 and 2 of `npm test`, and what TypeScript needs to run at all: so
// this is plain JavaScript.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";

const root = new URL("../", import.meta.url);
const { arch, platform, versions } = process;

/** @param {string} path of a JSON file, from the repository's folder */
function readJson(path) {
  return JSON.parse(readFileSync(new URL(path, root), "utf8"));
}

/**
 * Ends the run.
 * @param {string} layer the one that is broken
 * @param {string[]} lines what is wrong, and what to do
 */
function fail(layer, ...lines) {
  console.log(`  ✖ ${lines.join("\n    ")}`);
  console.log(`\nYour setup does not work: layer ${layer}, is broken.`);
  process.exit(1);
}

console.log("Layer 1: Node");
const { engines } = readJson("package.json");
const oldest = engines.node.replace(">=", "");
if (versions.node.localeCompare(oldest, undefined, { numeric: true }) < 0) {
  fail(
    '1, "Node"',
    `Node ${versions.node} is too old: package.json asks for ${engines.node}.`,
    "Install a newer Node, then run npm install again.",
  );
}
console.log(`  ✔ Node ${versions.node} is one of ${engines.node}`);

console.log("Layer 2: packages");
for (const name of ["zeromq", "tsx", "typescript"]) {
  if (!existsSync(new URL(`node_modules/${name}/package.json`, root))) {
    fail('2, "packages"', `${name} is not installed. Run npm install first.`);
  }
}
// In a process of its own, because a misfit may end it, or print much.
const { status, stdout, stderr } = spawnSync(
  process.execPath,
  [
    "-p",
    "const { version, capability } = require('zeromq');" +
      "`libzmq ${version}, ${capability.ipc ? 'with' : 'without'} IPC`",
  ],
  { cwd: root, encoding: "utf8" },
);
const system = `${platform} ${arch}, Node ${versions.node}`;
if (status !== 0) {
  fail(
    '2, "packages"',
    `zeromq has no native addon that fits ${system} (ABI ${versions.modules}).`,
    /Error: .*/.exec(stderr)?.[0] ?? "",
    "First, reinstall it: npm ci",
    "If that does not help, try a newer Node: it has more prebuilt addons.",
  );
}
const { version } = readJson("node_modules/zeromq/package.json");
console.log(`  ✔ zeromq.js ${version} loads on ${system}: ${stdout.trim()}`);

try {
  accessSync(tmpdir(), constants.W_OK);
} catch (error) {
  fail(
    '3, "a script starts"',
    `tsx needs the temporary folder, ${tmpdir()}: ${error}`,
    "Create it, or set TMPDIR to a folder where you may write, like /tmp.",
  );
}
