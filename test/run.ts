// npm test [-- WORD]: runs the test files, or those with WORD in their path, and ends with a verdict.
import { mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { exitOnSignals, plainEnv } from "../tools/child.ts";
import { root } from "../tools/repository.ts";

/** Says why the tests cannot run on this machine, whatever the examples do. */
function stop(reason: string): never {
  console.log(`The tests cannot run here: ${reason}`);
  process.exit(1);
}
const { node } = process.versions;
if (node.localeCompare("20.19", undefined, { numeric: true }) < 0) {
  stop(`they need Node 20.19 or newer, and this is ${node}. The examples run on 20.6 and newer.`);
}
if ("pnp" in process.versions) {
  stop("they need a folder node_modules, which Yarn makes with nodeLinker: node-modules.");
}
try {
  rmdirSync(mkdtempSync(join(root, ".project-")));
} catch (error) {
  stop(`they write into the repository's folder. ${error}`);
}

const [word = ""] = process.argv.slice(2);
const folder = join(root, "test");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts") && file.replaceAll("\\", "/").includes(word))
  .map((file) => join(folder, file));

// The verdict is about the examples, not about the user's settings.
process.env = plainEnv();
exitOnSignals();

let passed = 0;
let failed = 0;
const results = run({ files, concurrency: 8, timeout: 600_000 })
  .on("test:fail", () => failed++)
  .on("test:pass", ({ name, skip }) => {
    if (files.includes(name)) {
      failed++;
      console.log(`${name} has no tests.`);
    } else if (skip === undefined) passed++;
  });
for await (const text of results.compose(new spec())) process.stdout.write(text);

let verdict = "Your setup works, and so do the examples.";
if (word) verdict = `All is well in the test files with ${word} in their path.`;
if (failed > 0) verdict = "Your setup works, but the examples do not do all that they promise.";
if (passed === 0) verdict = "No test has passed.";
console.log(verdict);
if (failed > 0 || passed === 0) process.exitCode = 1;
