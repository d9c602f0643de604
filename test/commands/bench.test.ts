import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "../../tools/repository.ts";
import { noIpc, notOnWindows, startCommand } from "../support.ts";

const FIGURES = / +([\d,]+) (ms|µs|\/s) +([\d,]+) to ([\d,]+)$/;

/** A row without its figures, and what else differs between machines. */
const shape = (row: string) =>
  row.replace(/^Node [\d.]+, libzmq [\d.]+, \d+ × .+/, "Node").replace(FIGURES, " $2");

test("npm run bench prints what the README shows", { skip: noIpc }, async () => {
  const [, table] = /^```text\n(Node .*?)\n```$/ms.exec(read("README.md")) ?? [];
  const { stdout, stderr, exitStatus } = startCommand("bench", ["0.005"]);
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
  const { stderr, exitStatus } = startCommand("bench", ["small"]);
  assert.equal(await exitStatus(), 1);
  assert.deepEqual(stderr.all, ["SIZE must be a number above 0, like 0.1"]);
});

test(
  "npm run bench needs no list of processors, and ends on Ctrl-C",
  { skip: notOnWindows },
  async () => {
    const none = `data:text/javascript,import{syncBuiltinESMExports}from"module";import os from"os";os.cpus=()=>[];syncBuiltinESMExports()`;
    const NODE_OPTIONS = `--import "${none.replaceAll('"', "'")}"`;
    const { child, stdout, exitStatus } = startCommand("bench", [], { NODE_OPTIONS });
    await stdout.next(/^Node .*, unknown processors$/);
    await stdout.next(/^start/);
    child.kill("SIGINT");
    assert.equal(await exitStatus(), 130);
  },
);
