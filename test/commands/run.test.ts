// What `npm test` says of its own runs: in a copy that has other tests.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../../tools/child.ts";
import { examples, root } from "../../tools/repository.ts";
import { project } from "../support.ts";

const PASSES = 'import { test } from "node:test";\ntest("a promise", () => {});\n';
const FAILS = `import { test } from "node:test";

test("another promise", () => {
  throw new Error("broken");
});
`;

/** Runs these test files with the repository's runner. */
async function runTests(files: { [name: string]: string }, word = "", env = {}) {
  const cwd = project();
  cpSync(join(root, "tools"), join(cwd, "tools"), { recursive: true });
  for (const folder of [...examples, "test"]) {
    mkdirSync(join(cwd, folder));
  }
  cpSync(join(root, "test/run.ts"), join(cwd, "test/run.ts"));
  for (const [name, code] of Object.entries(files)) {
    writeFileSync(join(cwd, "test", name), code);
  }
  const args = ["--enable-source-maps", "--import", "tsx", "test/run.ts"];
  const node = run(process.execPath, word ? [...args, word] : args, { cwd, env });
  return { status: await node.exited(), output: node.stdout.all };
}

test("npm test says in its last line that all is well", async () => {
  const { status, output } = await runTests({ "a.test.ts": PASSES });
  assert.equal(output.at(-1), "Your setup works, and so do the examples.");
  assert.equal(status, 0);
});

test("npm test says which test failed, where and why", async () => {
  const { status, output } = await runTests({ "a.test.ts": PASSES, "b.test.ts": FAILS });
  assert.ok(output.some((line) => /✖ another promise/.test(line)));
  assert.ok(output.some((line) => /test.b\.test\.ts:3:/.test(line)), output.join("\n"));
  assert.ok(output.some((line) => /Error: broken/.test(line)));
  assert.match(`${output.at(-1)}`, /but the examples do not do all that they promise/);
  assert.equal(status, 1);
});

test("npm test -- WORD runs the test files with WORD in their path", async () => {
  const { status, output } = await runTests({ "a.test.ts": PASSES, "b.test.ts": FAILS }, "a.test");
  assert.equal(output.at(-1), "All is well in the test files with a.test in their path.");
  assert.equal(status, 0);
});

test("npm test fails where a file has no tests", async () => {
  const { status, output } = await runTests({ "a.test.ts": PASSES, "b.test.ts": "" });
  assert.ok(output.some((line) => /b\.test\.ts has no tests/.test(line)));
  assert.equal(status, 1);
});

test("npm test fails where no test has passed", async () => {
  const files = { "a.test.ts": PASSES };
  const skips = { "a.test.ts": PASSES.replace('",', '", { skip: true },') };
  for (const { status, output } of [
    await runTests({}),
    await runTests(files, "nothing"),
    await runTests(skips),
    await runTests(files, "", { NODE_TEST_CONTEXT: "child-v8" }),
  ]) {
    assert.equal(output.at(-1), "No test has passed.");
    assert.equal(status, 1);
  }
});
