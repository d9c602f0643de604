// npm test [-- WORD]: what this machine needs to run the examples, layer by
// layer up to the first that is broken; then what this repository promises.
// With a WORD: only the test files whose names contain it.
import { setMaxListeners } from "node:events";
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { run } from "node:test";
import { examples, root } from "../tools/script.ts";

const [word = ""] = process.argv.slice(2);
const folder = join(root, "test");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && file !== "run.ts")
  .sort();
const layers = files.filter((file) => /^setup\W\d-.*\.test\.ts$/.test(file));
const isChosen = (file: string) => basename(file).includes(word);
const isExample = (file: string) => examples.some((name) => file.startsWith(name));
const promises = files
  .filter((file) => /^[\w-]+\.test\.ts$/.test(file))
  .sort((a, b) => Number(isExample(b)) - Number(isExample(a)));

let [passed, failed, skipped] = [0, 0, 0];

/** Prints lines that stay. */
const print = (lines: string) =>
  console.log(process.stdout.isTTY ? `\r\x1b[K${lines}` : lines);

/** Shows what goes on: on a terminal, in a line that the next replaces. */
function show(line: string) {
  if (!process.stdout.isTTY) return print(line);
  process.stdout.write(`\r\x1b[K${line.slice(0, process.stdout.columns - 1)}`);
}

/** @returns the beginning of a text, which may be a megabyte, as a paragraph */
const shorten = (text: string) =>
  text.trimEnd().slice(0, 2000).replaceAll("\n", "\n    ");

const stop = new AbortController();
setMaxListeners(0, stop.signal);
process.on("exit", () => stop.abort()); // the test files that still run

/** Runs a test file, and shows and counts its results as they come. */
async function runFile(file: string, pass: (line: string) => void) {
  const path = join(folder, file);
  const events = run({ files: [path], timeout: 180_000, signal: stop.signal });
  for await (const { type, data } of events) {
    if (type === "test:stderr") print(shorten(data.message));
    if (type !== "test:pass" && type !== "test:fail") continue;

    const front = layers.includes(file) ? "" : `${basename(file, ".test.ts")}: `;
    const title = front + data.name;
    if (type === "test:fail") {
      const { cause, failureType, message } = data.details.error;
      if (failureType === "subtestsFailed") continue; // they were shown
      failed++;
      const error = cause instanceof Error ? cause : { message, stack: "" };
      const [line = file] = /[\w-]+\.test\.ts:\d+(?=:\d+\)?$)/m.exec(error.stack ?? "") ?? [];
      const where = join("test", dirname(file), basename(line));
      print(`  ✖ ${title}\n    ${where}: ${shorten(error.message)}`);
    } else if (data.name === path) {
      failed++;
      print(`  ✖ test/${file} has no tests`);
    } else if (data.skip !== undefined) {
      skipped++;
      print(`  - ${title} (skipped: ${data.skip})`);
    } else {
      passed++;
      pass(`  ✔ ${title}`);
    }
  }
}

/** Runs test files side by side: a few, as they wait most of the time. */
async function runAll(files: string[]) {
  const queue = files.values();
  const runner = async () => {
    for (const file of queue) await runFile(file, show);
  };
  await Promise.all(Array.from({ length: 6 }, runner));
}

/** Runs what is asked for, and says in a sentence what came of it. */
async function judge() {
  const lost = files.filter((file) => ![...layers, ...promises].includes(file));
  if (lost.length > 0) return `Nobody runs ${lost.join(", ")}: is that a test's name?`;
  if (layers.length === 0 || promises.length === 0) return "There are no tests.";
  for (const file of layers.filter(isChosen)) {
    const [layer, ...words] = basename(file, ".test.ts").split("-");
    const title = words.join(" ");
    print(`Layer ${layer}: ${title}`);
    await runFile(file, print);
    if (failed > 0) {
      return `Your setup does not work: layer ${layer}, "${title}", is broken.`;
    }
  }
  if (!word) print("Your setup works.\n\nThe promises of the examples, for most of a minute:");
  await runAll(promises.filter(isChosen));
  if (word) return `These were the tests in the files named like "${word}".`;
  if (failed === 0) return "Your setup works, and so do the examples.";
  return "Your setup works, but the examples do not do all that they promise.";
}

const verdict = await judge();
if (failed > 0 || passed === 0) process.exitCode = 1;
print(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n${verdict}`);
