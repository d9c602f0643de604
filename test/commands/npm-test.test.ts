// What `npm test` says of its own runs: in a copy that has another doctor, and other tests.
import assert from "node:assert/strict";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram, withTimeout } from "../../tools/child.ts";
import { root } from "../../tools/repository.ts";
import { census, commands, notOnWindows, preload, project } from "../support.ts";

const PASSES = 'import { test } from "node:test";\ntest("a promise", () => {});\n';
const FAILS = `${PASSES}test("another promise", () => { throw Error("broken"); });\n`;
const BROKEN = "Your setup works, but the examples do not do all that they promise.";

type Files = { [name: string]: string };

// One folder for all runs: tsx compiles the tools once.
const cwd = project();
cpSync(join(root, "tools"), join(cwd, "tools"), { recursive: true });

/** Starts `npm test` where these test files are, and a doctor of this code. */
function startTests(files: Files, { word = "", env = {}, doctor = "" } = {}) {
  rmSync(join(cwd, "test"), { recursive: true, force: true });
  cpSync(join(root, "test/run.ts"), join(cwd, "test/run.ts"));
  writeFileSync(join(cwd, "tools/doctor.js"), doctor);
  for (const [name, code] of Object.entries(files)) {
    writeFileSync(join(cwd, `test/${name}.test.ts`), code);
  }
  return startProgram(`${commands.test} ${word}`, [], { cwd, env, shell: true });
}

/** Expects it to end with this status and this line, and returns its output. */
async function runTests(status: number, last: string, files: Files, options = {}) {
  const { stdout, exitStatus } = startTests(files, options);
  assert.deepEqual([await exitStatus(), stdout.all.at(-1)], [status, last]);
  return stdout.all.join("\n");
}

test("npm test runs the tests if the doctor finds nothing, whatever the environment", async () => {
  const doctor = 'console.log("I am the doctor.");';
  const env = { NODE_TEST_CONTEXT: "child-v8", http_proxy: "http://127.0.0.1:1" };
  const a = `${PASSES}if (process.env.http_proxy) throw Error("the environment is here");`;
  const allWell = "Your setup works, and so do the examples.";
  assert.match(
    await runTests(0, allWell, { a }, { doctor, env }),
    /^I am the doctor.\n.*a promise/,
  );
  await runTests(1, "I am the doctor.", { a }, { doctor: `${doctor} process.exitCode = 1;` });
});

test("npm test says which test failed, where and why", async () => {
  const where = /^✖ another promise .*\n +Error: broken\n +at .*test.a\.test\.ts:3:/m;
  assert.match(await runTests(1, BROKEN, { a: FAILS }), where);
});

test("npm test -- WORD runs the test files with WORD in their path", async () => {
  const well = "All is well in the test files with a.test in their path.";
  await runTests(0, well, { a: PASSES, b: FAILS }, { word: "a.test" });
  await runTests(1, "No test has passed.", { a: PASSES }, { word: "nothing" });
});

test("npm test fails where a file has no tests, or all are skipped", async () => {
  const a = PASSES.replace("() =>", "{ skip: true }, () =>");
  await runTests(1, "No test has passed.", { a });
  assert.match(await runTests(1, BROKEN, { a: PASSES, b: "" }), /b\.test\.ts has no tests/);
});

test("npm test says why it cannot run", async () => {
  const versions = (more: string) => `const value = { ...process.versions, ${more} };
    Object.defineProperty(process, "versions", { value });`;
  const readOnly = `import fs from "node:fs"; import { syncBuiltinESMExports } from "node:module";
    fs.mkdtempSync = () => { throw Error("EROFS") }; syncBuiltinESMExports();`;
  const oldNode = "they need Node 20.19 or newer, and this is 20.18.3. The examples run on 20.6";
  const yarn = "they need a folder node_modules, which Yarn makes with nodeLinker: node-modules.";
  for (const [code, reason] of [
    [versions('node: "20.18.3"'), `${oldNode} and newer.`],
    [versions('pnp: "3"'), yarn],
    [readOnly, "they write into the repository's folder. Error: EROFS"],
  ]) {
    await runTests(1, `The tests cannot run here: ${reason}`, {}, { env: preload(code) });
  }
});

test("npm test, when it is ended, ends the test files", { skip: notOnWindows }, async () => {
  const { code, ends } = await census();
  const a = `import { exitOnSignals } from "../tools/child.ts"; exitOnSignals();
    ${code} ${PASSES.replace("{}", "new Promise(() => setInterval(() => {}))")}`;
  const { child, exitStatus } = startTests({ a });
  while (ends.length === 0) await sleep(10);
  child.kill();
  await exitStatus();
  await withTimeout(Promise.all(ends), "it is still running");
});
