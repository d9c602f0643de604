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

type Files = { [path: string]: string };

/** Starts a command in a copy of the repository that has these files. */
function startIn(files: Files, command: string, env = {}) {
  const cwd = project();
  mkdirSync(join(cwd, "test"));
  for (const path of ["tools", "test/run.ts"]) {
    cpSync(join(root, path), join(cwd, path), { recursive: true });
  }
  for (const [path, code] of Object.entries({ "tools/doctor.js": "", ...files })) {
    writeFileSync(join(cwd, path), code);
  }
  return startProgram(command, [], { cwd, env, shell: true });
}

/** Runs `npm test` there: its status, last line and output. */
async function runTests(files: Files, word = "", env = {}) {
  const { stdout, stderr, exitStatus } = startIn(files, `${commands.test} ${word}`, env);
  const ends = [await exitStatus(), stdout.all.at(-1)];
  return { ends, output: [...stdout.all, ...stderr.all].join("\n") };
}

test("npm test asks the doctor first, and runs no test where that finds something", async () => {
  const well = 'console.log("I am the doctor.");';
  const { output } = await runTests({ "tools/doctor.js": well, "test/a.test.ts": PASSES });
  assert.match(output, /^I am the doctor.\n.*a promise/);
  const ill = `${well} process.exitCode = 1;`;
  const { ends } = await runTests({ "tools/doctor.js": ill, "test/a.test.ts": PASSES });
  assert.deepEqual(ends, [1, "I am the doctor."]);
});

test("npm test says in its last line that all is well, whatever the environment", async () => {
  const settings = { NODE_EXTRA_CA_CERTS: "/none.pem", http_proxy: "http://127.0.0.1:1" };
  const code = `const { ${Object.keys(settings)} } = process.env;
    if (${Object.keys(settings).join(" || ")}) throw Error("not plain");`;
  const env = { ...settings, NODE_TEST_CONTEXT: "child-v8" };
  const { ends } = await runTests({ "test/a.test.ts": PASSES + code }, "", env);
  assert.deepEqual(ends, [0, "Your setup works, and so do the examples."]);
});

test("npm test says which test failed, where and why", async () => {
  const { ends, output } = await runTests({ "test/a.test.ts": PASSES, "test/b.test.ts": FAILS });
  assert.match(output, /^✖ another promise .*\n +Error: broken\n +at .*test.b\.test\.ts:2:/m);
  assert.deepEqual(ends, [1, BROKEN]);
});

test("npm test -- WORD runs the test files with WORD in their path", async () => {
  const { ends } = await runTests({ "test/a.test.ts": PASSES, "test/b.test.ts": FAILS }, "a.test");
  assert.deepEqual(ends, [0, "All is well in the test files with a.test in their path."]);
});

test("npm test fails where a file has no tests", async () => {
  const { ends, output } = await runTests({ "test/a.test.ts": PASSES, "test/b.test.ts": "" });
  assert.match(output, /b\.test\.ts has no tests/);
  assert.deepEqual(ends, [1, BROKEN]);
});

test("npm test fails where no test has passed", async () => {
  const skipped = PASSES.replace("() =>", "{ skip: true }, () =>");
  for (const { ends } of [
    await runTests({ "test/a.test.ts": PASSES }, "nothing"),
    await runTests({ "test/a.test.ts": skipped }),
  ]) {
    assert.deepEqual(ends, [1, "No test has passed."]);
  }
});

test("npm test, when it is ended, ends the test files", { skip: notOnWindows }, async () => {
  const { code, ends } = await census();
  const hangs = `${code}; ${PASSES.replace("{}", "new Promise((resolve) => setTimeout(resolve, 1e6))")}`;
  const run = startIn({ "test/a.test.ts": hangs }, "exec node --import tsx test/run.ts");
  while (ends.length === 0) await sleep(10);
  run.child.kill();
  assert.equal(await run.exitStatus(), 143);
  await withTimeout(Promise.all(ends), "it is still running");
});
