import assert from "node:assert/strict";
import { test } from "node:test";
import { startScript } from "../../tools/child.ts";
import { read } from "../../tools/repository.ts";
import { noIpc, notOnWindows } from "../support.ts";

const FIGURES = / +([\d,]+) (ms|µs|\/s) +([\d,]+) to ([\d,]+)$/;

/** A row without its figures, and what else differs between machines. */
const shape = (row: string) =>
  row.replace(/^Node [\d.]+, libzmq [\d.]+, \d+ × .+/, "Node").replace(FIGURES, " $2");

test("npm run bench measures what the README shows, five times each", { skip: noIpc }, async () => {
  const [, table] = /^```text\n(Node .*?)\n```$/ms.exec(read("README.md")) ?? [];
  const { stdout, stderr, exitStatus } = startScript("tools/bench.ts", "0.005");
  const shown = table.split("\n").map(shape);
  for (const line of shown) assert.equal(shape(await stdout.next(/./)), line);
  assert.equal(await exitStatus(), 0);
  assert.equal(stdout.all.length, shown.length);
  assert.deepEqual(stderr.all, []);

  const figures = (row: string) => FIGURES.exec(row.replaceAll(",", ""))?.map(Number) ?? [];
  const rows = stdout.all.slice(2).map(figures);
  for (const [, median, , low, high] of rows) {
    assert.ok(0 < low && low <= median && median <= high, stdout.all.join("\n"));
  }
  assert.ok(rows.some(([, median, , low, high]) => low < median && median < high));
});

test("npm run bench says what is wrong with a SIZE", async () => {
  const { stderr, exitStatus } = startScript("tools/bench.ts", "small");
  assert.equal(await exitStatus(), 1);
  assert.deepEqual(stderr.all, ["SIZE must be a number above 0, like 0.1"]);
});

test("Ctrl-C ends npm run bench", { skip: notOnWindows }, async () => {
  const { child, stdout, exitStatus } = startScript("tools/bench.ts");
  await stdout.next(/median/);
  child.kill("SIGINT");
  assert.equal(await exitStatus(), 130);
});
