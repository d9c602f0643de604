// npm test [-- WORD]: runs the test files, or those with WORD in their path.
// Node 20 finds no files by a pattern; without it, this could be
// node --import tsx --test "test/**/*.test.ts"
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { root } from "../tools/repository.ts";

const [word = ""] = process.argv.slice(2);
const folder = join(root, "test");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts") && file.includes(word))
  .map((file) => join(folder, file))
  .reverse(); // so that what takes longest, the recipes and the examples, begins early

let passed = 0;
let failed = 0;
const results = run({ files, concurrency: 6, timeout: 180_000 })
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
