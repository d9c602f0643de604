import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { end, start } from "../tools/script.ts";

afterEach(end);

test("npm run bench measures every row", async () => {
  const { stdout, stderr, status } = start("tools/bench.ts", "0.005");
  for (const row of [
    "Node [\\d.]+, libzmq [\\d.]+, \\d+ × .+",
    " +median +lowest to highest",
    ...[
      "start, bare Node +[\\d,]+ ms",
      "start, with tsx +[\\d,]+ ms",
      "plain TCP, one by one +[\\d,]+ µs",
      "echo, TCP, one by one +[\\d,]+ µs",
      "echo, TCP, 100 in flight +[\\d,]+ /s",
      "echo, IPC, one by one +[\\d,]+ µs",
      "echo, IPC, 100 in flight +[\\d,]+ /s",
      "jobs, 1 worker +[\\d,]+ /s",
      "jobs, 2 workers +[\\d,]+ /s",
      "messages, a camera +[\\d,]+ /s",
    ].map((median) => `${median} +[\\d,]+ to [\\d,]+`),
  ]) {
    assert.match(await stdout.next(/./), new RegExp(`^${row}$`));
  }
  assert.equal(await status(), 0);
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
