// Layers 1 and 2 of `npm test`, and what TypeScript needs to run at all: so
// this is plain JavaScript.
import { spawnSync } from "node:child_process";
import { accessSync, closeSync, constants, openSync } from "node:fs";
import { createRequire } from "node:module";
import { devNull, tmpdir } from "node:os";
import { dirname } from "node:path";

const require = createRequire(import.meta.url);
const { arch, platform, versions } = process;
const system = `${platform} ${arch}, Node ${versions.node}`;

/** @returns {string | undefined} why this Node does not do, and the remedy */
function checkNode() {
  const { node } = require("../package.json").engines;
  const oldest = node.replace(">=", "");
  if (versions.node.localeCompare(oldest, undefined, { numeric: true }) < 0) {
    return (
      `Node ${versions.node} is too old: package.json asks for ${node}.\n` +
      "Install a newer Node, then run npm install again."
    );
  }
  console.log(`  ✔ Node ${versions.node} is one of ${node}`);
}

const moreFiles = "More files must be allowed to be open at a time: ulimit -n 1024";

/** What to do about a package that does not work, by what it says. */
const remedies = /** @type {const} */ ([
  [
    /another platform|"@esbuild.* could not be found/,
    "The packages were installed for another system: remove the folder\n" +
      "node_modules, and run npm ci.",
  ],
  [
    /EACCES|not permitted|failed to map/,
    "The system lets no program in this folder run, as where a disk is mounted\n" +
      "noexec: move the repository to another place.",
  ],
  [/EMFILE|Too many open files/, moreFiles],
  [
    /^/,
    "Reinstall the packages: remove the folder node_modules, and run npm ci.\n" +
      "zeromq has addons for Linux (x64, arm64), macOS and Windows. Elsewhere, npm\n" +
      "builds one, if it finds a C++ compiler, CMake, Ninja and vcpkg.",
  ],
]);

/** @returns {string | undefined} which package does not work, and the remedy */
function checkPackages() {
  for (const [name, code] of [
    ["tsx", 'require("esbuild").transformSync("")'],
    [
      "zeromq",
      'const { capability, Pair, version } = require("zeromq"); new Pair().close();' +
        "console.log(`: libzmq ${version}, IPC: ${capability.ipc}`)",
    ],
  ]) {
    let installed;
    try {
      installed = require.resolve(`${name}/package.json`);
    } catch {
      return `${name} is not installed. Run npm install first.`;
    }
    // In a process of its own, because a misfit may end it, or print much.
    const options = /** @type {const} */ ({ cwd: dirname(installed), encoding: "utf8" });
    const node = spawnSync(process.execPath, ["-e", code], options);
    if (node.status !== 0) {
      const output = `${node.error ?? node.stderr}`;
      const [, reason = output.split("\n")[0]] = /Error:\s+(.+)/.exec(output) ?? [];
      const [, remedy] = remedies.find(([says]) => says.test(output)) ?? [];
      return `${name} does not work on ${system}: ${reason}\n${remedy}`;
    }
    const { version } = require(installed);
    console.log(`  ✔ ${name} ${version} works on ${system}${node.stdout.trim()}`);
  }
}

/** @returns {string | undefined} what tsx and the scripts lack, and the remedy */
function checkSystem() {
  try {
    accessSync(tmpdir(), constants.W_OK);
  } catch (error) {
    const variable = platform === "win32" ? "TEMP" : "TMPDIR";
    return (
      `tsx needs the temporary folder, ${tmpdir()}: ${error}\n` +
      `Create it, or set ${variable} to a folder where you may write.`
    );
  }
  const open = [];
  try {
    while (open.length < 100) open.push(openSync(devNull, "r"));
  } catch (error) {
    return `${error}\n${moreFiles}`;
  } finally {
    open.forEach(closeSync);
  }
}

for (const [layer, title, check] of /** @type {const} */ ([
  [1, "Node", checkNode],
  [2, "the packages work", checkPackages],
  [3, "a script starts", checkSystem],
])) {
  const heading = `Layer ${layer}: ${title}`;
  if (layer < 3) console.log(heading);
  const problem = check();
  if (!problem) continue;
  if (layer === 3) console.log(heading); // where it works, test/run.ts says so
  console.log(`  ✖ ${problem.replaceAll("\n", "\n    ")}\n`);
  console.log(`Your setup does not work: layer ${layer}, "${title}", is broken.`);
  process.exitCode = 1;
  break;
}
