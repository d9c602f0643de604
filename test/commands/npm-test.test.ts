// What `npm test` says of its own runs: in a copy that has another doctor, and other tests.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram, withTimeout } from "../../tools/child.ts";
import { root } from "../../tools/repository.ts";
import { census, commands, notOnWindows, preload, project } from "../support.ts";

const PASSES = 'import { test } from "node:test";\ntest("a promise", () => {});\n';
const FAILS = `${PASSES}test("another promise", () => { throw Error("broken"); });\n`;
const BROKEN = "Your setup works, but the examples do not do all that they promise.";

// One folder, which tsx knows after the first run.
const cwd = project();
cpSync(join(root, "tools"), join(cwd, "tools"), { recursive: true });

/** Starts `npm test` where these test files are, and a doctor of this code. */
function startTests(files: { [name: string]: string }, word = "", env = {}, doctor = "") {
  rmSync(join(cwd, "test"), { recursive: true, force: true });
  mkdirSync(join(cwd, "test"));
  cpSync(join(root, "test/run.ts"), join(cwd, "test/run.ts"));
  writeFileSync(join(cwd, "tools/doctor.js"), doctor);
  for (const [name, code] of Object.entries(files)) {
    writeFileSync(join(cwd, `test/${name}.test.ts`), code);
  }
  return startProgram(`${commands.test} ${word}`, [], { cwd, env, shell: true });
}

/** Runs it: its output, and how it ends. */
async function runTests(...args: Parameters<typeof startTests>) {
  const { stdout, exitStatus } = startTests(...args);
  return { ends: [await exitStatus(), stdout.all.at(-1)], output: stdout.all.join("\n") };
}

test("npm test asks the doctor first, then says that all is well, whatever the environment", async () => {
  const doctor = 'console.log("I am the doctor.");';
  const env = { NODE_TEST_CONTEXT: "child-v8", http_proxy: "http://127.0.0.1:1" };
  const code = `${PASSES}if (process.env.http_proxy) throw Error("the environment is here");`;
  const { ends, output } = await runTests({ a: code }, "", env, doctor);
  assert.match(output, /^I am the doctor.\n.*a promise/);
  assert.deepEqual(ends, [0, "Your setup works, and so do the examples."]);
});

test("npm test runs no test where the doctor finds something", async () => {
  const doctor = 'console.log("I am the doctor."); process.exitCode = 1;';
  const { ends } = await runTests({ a: PASSES }, "", {}, doctor);
  assert.deepEqual(ends, [1, "I am the doctor."]);
});

test("npm test says which test failed, where and why", async () => {
  const { ends, output } = await runTests({ a: FAILS });
  assert.match(output, /^✖ another promise .*\n +Error: broken\n +at .*test.a\.test\.ts:3:/m);
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

const versions = (more: string) =>
  `Object.defineProperty(process, "versions", { value: { ...process.versions, ${more} } })`;
for (const [code, reason] of [
  [versions('node: "20.18.3"'), /they need Node 20\.19 or newer, and this is 20\.18\.3\. The/],
  [versions('pnp: "3"'), /they need a folder node_modules, .* nodeLinker: node-modules\.$/],
  [
    `import fs from "node:fs"; import { syncBuiltinESMExports } from "node:module";
    fs.mkdtempSync = () => { throw Error("EROFS") }; syncBuiltinESMExports();`,
    /they write into the repository's folder\. Error: EROFS$/,
  ],
] as const) {
  test(`npm test ${reason}`, async () => {
    const { ends, output } = await runTests({ a: PASSES }, "", preload(code));
    assert.equal(ends[0], 1);
    assert.match(output, reason);
  });
}

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
