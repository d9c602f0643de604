// What `npm test` says of its own runs: in a copy that has another doctor, and other tests.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram, withTimeout } from "../../tools/child.ts";
import { root } from "../../tools/repository.ts";
import { census, commands, notOnWindows, project } from "../support.ts";

const PASSES = 'import { test } from "node:test";\ntest("a promise", () => {});\n';
const FAILS = PASSES.replace("a", "another").replace("{}", '{ throw Error("broken") }');
const BROKEN = "Your setup works, but the examples do not do all that they promise.";

/** Starts a command where these test files are, and a doctor of this code. */
function startIn(files: { [name: string]: string }, doctor: string, command: string, env = {}) {
  const cwd = project();
  mkdirSync(join(cwd, "test"));
  for (const path of ["tools", "test/run.ts"]) {
    cpSync(join(root, path), join(cwd, path), { recursive: true });
  }
  writeFileSync(join(cwd, "tools/doctor.js"), doctor);
  for (const [name, code] of Object.entries(files)) {
    writeFileSync(join(cwd, `test/${name}.test.ts`), code);
  }
  return startProgram(command, [], { cwd, env, shell: true });
}

/** Runs `npm test` there: its output, and how it ends. */
async function runTests(files: { [name: string]: string }, word = "", doctor = "", env = {}) {
  const { stdout, exitStatus } = startIn(files, doctor, `${commands.test} ${word}`, env);
  return { ends: [await exitStatus(), stdout.all.at(-1)], output: stdout.all.join("\n") };
}

test("npm test asks the doctor first, and runs no test where that finds something", async () => {
  const doctor = 'console.log("I am the doctor.");';
  const well = await runTests({ a: PASSES }, "", doctor);
  assert.match(well.output, /^I am the doctor.\n.*a promise/);
  const ill = await runTests({ a: PASSES }, "", `${doctor} process.exitCode = 1;`);
  assert.deepEqual(ill.ends, [1, "I am the doctor."]);
});

test("npm test says in its last line that all is well, whatever the environment", async () => {
  const env = { NODE_TEST_CONTEXT: "child-v8", http_proxy: "http://127.0.0.1:1" };
  const code = `${PASSES}if (process.env.http_proxy) throw Error("the environment is here");`;
  const { ends } = await runTests({ a: code }, "", "", env);
  assert.deepEqual(ends, [0, "Your setup works, and so do the examples."]);
});

test("npm test says which test failed, where and why", async () => {
  const { ends, output } = await runTests({ a: PASSES, b: FAILS });
  assert.match(output, /^✖ another promise .*\n +Error: broken\n +at .*test.b\.test\.ts:2:/m);
  assert.deepEqual(ends, [1, BROKEN]);
});

test("npm test -- WORD runs the test files with WORD in their path", async () => {
  const { ends } = await runTests({ a: PASSES, b: FAILS }, "a.test");
  assert.deepEqual(ends, [0, "All is well in the test files with a.test in their path."]);
});

test("npm test fails where a file has no tests", async () => {
  const { ends, output } = await runTests({ a: PASSES, b: "" });
  assert.match(output, /b\.test\.ts has no tests/);
  assert.deepEqual(ends, [1, BROKEN]);
});

test("npm test fails where no test has passed", async () => {
  const skipped = PASSES.replace("() =>", "{ skip: true }, () =>");
  for (const run of [await runTests({ a: PASSES }, "nothing"), await runTests({ a: skipped })]) {
    assert.deepEqual(run.ends, [1, "No test has passed."]);
  }
});

test("npm test, when it is ended, ends the test files", { skip: notOnWindows }, async () => {
  const { code, ends } = await census();
  const a = `import { exitOnSignals } from "../tools/child.ts"; exitOnSignals();
    ${code} ${PASSES.replace("{}", "new Promise(() => setInterval(() => {}))")}`;
  const { child, exitStatus } = startIn({ a }, "", commands.test);
  while (ends.length === 0) await sleep(10);
  child.kill();
  await exitStatus();
  await withTimeout(Promise.all(ends), "it is still running");
});
