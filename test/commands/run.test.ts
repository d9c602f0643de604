// What `npm test` says of its own runs: in a copy that has other tests.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startProgram } from "../../tools/child.ts";
import { root } from "../../tools/repository.ts";
import { examples, project } from "../support.ts";

const PASSES = 'import { test } from "node:test";\ntest("a promise", () => {});\n';
const FAILS = PASSES.replace("a promise", "another promise").replace(
  "{}",
  '{ throw Error("broken") }',
);
const BROKEN = "Your setup works, but the examples do not do all that they promise.";

/** Runs these test files with the repository's runner, which ends with a status and a last line. */
async function runTests(files: { [name: string]: string }, word: string[] = [], env = {}) {
  const cwd = project();
  cpSync(join(root, "tools"), join(cwd, "tools"), { recursive: true });
  for (const folder of [...examples, "test"]) mkdirSync(join(cwd, folder));
  cpSync(join(root, "test/run.ts"), join(cwd, "test/run.ts"));
  for (const [name, code] of Object.entries(files)) writeFileSync(join(cwd, "test", name), code);
  const node = ["--enable-source-maps", "--import", "tsx", "test/run.ts", ...word];
  const { stdout, exitStatus } = startProgram(process.execPath, node, { cwd, env });
  return { ends: [await exitStatus(), stdout.all.at(-1)], output: stdout.all.join("\n") };
}

test("npm test says in its last line that all is well", async () => {
  const { ends } = await runTests({ "a.test.ts": PASSES });
  assert.deepEqual(ends, [0, "Your setup works, and so do the examples."]);
});

test("npm test says which test failed, where and why", async () => {
  const { ends, output } = await runTests({ "a.test.ts": PASSES, "b.test.ts": FAILS });
  assert.match(output, /^test at test.b\.test\.ts:2:\d+\n✖ another promise .*\n +Error: broken/m);
  assert.deepEqual(ends, [1, BROKEN]);
});

test("npm test -- WORD runs the test files with WORD in their path", async () => {
  const { ends } = await runTests({ "a.test.ts": PASSES, "b.test.ts": FAILS }, ["a.test"]);
  assert.deepEqual(ends, [0, "All is well in the test files with a.test in their path."]);
});

test("npm test fails where a file has no tests", async () => {
  const { ends, output } = await runTests({ "a.test.ts": PASSES, "b.test.ts": "" });
  assert.match(output, /b\.test\.ts has no tests/);
  assert.deepEqual(ends, [1, BROKEN]);
});

test("npm test fails where no test has passed", async () => {
  for (const { ends } of [
    await runTests({ "a.test.ts": PASSES }, ["nothing"]),
    await runTests({ "a.test.ts": PASSES.replace("() =>", "{ skip: true }, () =>") }),
    await runTests({ "a.test.ts": PASSES }, [], { NODE_TEST_CONTEXT: "child-v8" }),
  ]) {
    assert.deepEqual(ends, [1, "No test has passed."]);
  }
});
