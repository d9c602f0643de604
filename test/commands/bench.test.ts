import assert from "node:assert/strict";
import { read, start } from "../tools/script.ts";
import { test } from "../tools/test.ts";

test("npm run bench measures what the README shows", async () => {
  const [, table] = /^```text\n(.*?)\n```$/ms.exec(read("README.md")) ?? [];
  /** A row without its figures, and what else differs between machines. */
  const shape = (row: string) =>
    row
      .replace(/^Node [\d.]+, libzmq [\d.]+, \d+ × .+/, "Node")
      .replace(/ +[\d,]+ (ms|µs|\/s) +[\d,]+ to [\d,]+$/, " $1");
  const { stdout, stderr, status } = start("tools/bench.ts", "0.005");
  assert.equal(await status(), 0, stderr.all.join("\n"));
  assert.deepEqual(stdout.all.map(shape), table.split("\n").map(shape));
  assert.deepEqual(stderr.all, []);
});

test("npm run bench says what is wrong with a SIZE", async () => {
  const { stderr, status } = start("tools/bench.ts", "small");
  assert.equal(await status(), 1);
  assert.deepEqual(stderr.all, ["SIZE must be a number above 0, like 0.1"]);
});

test(
  "Ctrl-C ends npm run bench",
  { skip: process.platform === "win32" && "Windows has no such signals" },
  async () => {
    const { child, stdout, status } = start("tools/bench.ts");
    await stdout.next(/median/);
    child.kill("SIGINT");
    assert.equal(await status(), 130);
  },
);
