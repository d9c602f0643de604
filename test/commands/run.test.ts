// What `npm test` says of its own runs: in a copy that has other tests.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../../tools/child.ts";
import { examples, root } from "../../tools/repository.ts";
import { project } from "../support.ts";

const passes = 'import { test } from "node:test";\ntest("a promise", () => {});\n';
const fails = passes.replace("() => {}", '() => { throw new Error("broken"); }');
const skips = passes.replace("() =>", "{ skip: true }, () =>");

/** Expects the runner, with these test files, to print these lines, the last one last. */
function testRun(
  promise: string,
  { files, word, env }: { files: { [name: string]: string }; word?: string; env?: object },
  ...expected: RegExp[]
) {
  test(promise, async () => {
    const cwd = project();
    cpSync(join(root, "tools"), join(cwd, "tools"), { recursive: true });
    for (const folder of [...examples, "test"]) mkdirSync(join(cwd, folder));
    cpSync(join(root, "test/run.ts"), join(cwd, "test/run.ts"));
    for (const [name, code] of Object.entries(files)) writeFileSync(join(cwd, "test", name), code);
    const args = ["--enable-source-maps", "--import", "tsx", "test/run.ts"];
    if (word) args.push(word);
    const { stdout, exited } = run(process.execPath, args, { cwd, env: { ...env } });

    const isWell = (await exited()) === 0;
    const lastLine = `${stdout.all.at(-1)}`;
    assert.equal(isWell, /^(Your setup works, and so|All is well)/.test(lastLine), lastLine);
    for (const line of expected) await stdout.next(line);
    assert.match(lastLine, expected.at(-1) ?? /./);
  });
}

const files = { "a.test.ts": passes };
testRun("npm test says in its last line that all is well", { files },
  /^Your setup works, and so do the examples\.$/);

testRun("npm test says which test failed, where and why", { files: { ...files, "b.test.ts": fails } },
  /test.b\.test\.ts:2:/, /✖ a promise/, /Error: broken/, /but the examples do not do all/);

testRun("npm test -- WORD runs the test files with WORD in their path",
  { files: { ...files, "b.test.ts": fails }, word: "a.test" },
  /^All is well in the test files with a\.test in their path\.$/);

testRun("npm test fails where a file has no tests", { files: { ...files, "b.test.ts": "" } },
  /b\.test\.ts has no tests/, /but the examples do not do all/);

testRun("npm test fails where no file was found", { files, word: "b.test" }, /^No test has passed\.$/);
testRun("npm test fails where all is skipped", { files: { "a.test.ts": skips } }, /^No test has passed\.$/);
testRun("npm test fails where it runs as a test itself",
  { files, env: { NODE_TEST_CONTEXT: "child-v8" } }, /^No test has passed\.$/);
