import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "../../tools/repository.ts";
import { noIpc, notOnWindows, preload, startCommand } from "../support.ts";

const FIGURES = / +([\d,]+) (ms|µs|\/s) +([\d,]+) to ([\d,]+)$/;

/** A row without its figures, and what else differs between machines. */
const shape = (row: string) =>
  row.replace(/^Node [\d.]+, libzmq [\d.]+, .+/, "Node").replace(FIGURES, " $2");

test("npm run bench prints what its page shows and explains", { skip: noIpc }, async () => {
  const page = read("docs/bench.md");
  const [, table] = /^```text\n(Node .*?)\n```$/ms.exec(page) ?? [];
  const { stdout, stderr, exitStatus } = startCommand("bench", ["0.001"]);
  for (const row of table.split("\n")) assert.equal(shape(await stdout.next(/./)), shape(row));
  assert.equal(await exitStatus(), 0);
  for (const row of stdout.all.slice(2)) {
    assert.ok(page.includes(`| ${row.split(/ {2,}/)[0]} |`), row);
    const [, median, , low, high] = FIGURES.exec(row.replaceAll(",", ""))?.map(Number) ?? [];
    assert.ok(0 < low && low <= median && median <= high, row);
  }
  assert.deepEqual(stderr.all, []);
});

test("npm run bench says what is wrong with a SIZE", async () => {
  const { stderr, exitStatus } = startCommand("bench", ["small"]);
  assert.equal(await exitStatus(), 1);
  assert.deepEqual(stderr.all, ["SIZE must be a number above 0, like 0.1"]);
});

test("npm run bench runs on unknown processors until Ctrl-C", { skip: notOnWindows }, async () => {
  const code = `import os from "node:os"; import { syncBuiltinESMExports } from "node:module";
    os.cpus = () => []; syncBuiltinESMExports();`;
  const { child, stdout, exitStatus } = startCommand("bench", [], preload(code));
  await stdout.next(/^Node .*, unknown processors$/);
  await stdout.next(/median/);
  child.kill("SIGINT");
  assert.equal(await exitStatus(), 130);
});
