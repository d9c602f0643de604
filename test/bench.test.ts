import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noSignals, start } from "../tools/script.ts";

describe("npm run bench", { concurrency: 4, skip: noSignals }, () => {
  test("measures every row, and loses nothing", async (t) => {
    const { stdout, stderr, status } = start(
      "tools/bench.ts",
      ["0.005"],
      t.signal,
    );
    const time = "[\\d,]+ .s  +[\\d,]+ to [\\d,]+";
    const rate = "[\\d,]+ /s  +[\\d,]+ to [\\d,]+";
    const p99 = "p99 [\\d,]+ µs, [\\d,]+ /s";
    const memory = "  memory +\\d+ MiB  \\d+ MiB before";
    const echo = (transport: string) => [
      `echo, ${transport}, one by one +${time} +${p99}`,
      "  against plain TCP +[\\d.]+ ×",
      `echo, ${transport}, 100 in flight +${rate}`,
      memory,
    ];
    const flood = (script: string, split: string) => [
      `${script} +${rate}`,
      `  of all +0 lost  split ${split} %`,
      ...split.split(" : ").map(() => memory),
    ];
    for (const row of [
      "Node [\\d.]+, zeromq.js [\\d.]+, libzmq [\\d.]+",
      "\\d+ × .*",
      " +median  lowest to highest",
      `start, bare Node +${time}`,
      `start, ./server.ts +${time}`,
      "  against bare Node +[\\d.]+ ×",
      `plain TCP, one by one +${time} +${p99}`,
      ...echo("TCP"),
      ...echo("IPC"),
      ...flood("jobs, 1 worker", "100"),
      // They take turns while both have room, as they have for so few jobs.
      ...flood("jobs, 2 workers", "50 : 50"),
      ...flood("messages, camera 1", "100"),
      ...flood("messages, camera 2", "100"),
    ]) {
      const line = await stdout.next(/./);
      assert.match(line, new RegExp(`^${row}$`));
    }
    assert.equal(await status(), 0);
    assert.deepEqual(stderr.all, []);
  });

  test("ends with Ctrl-C, and says what is wrong with a SIZE", async (t) => {
    const { child, stdout, status } = start("tools/bench.ts", [], t.signal);
    await stdout.next(/median/);
    child.kill("SIGINT");
    assert.equal(await status(), 130);

    const wrong = start("tools/bench.ts", ["small"], t.signal);
    assert.equal(await wrong.status(), 1);
    assert.deepEqual(wrong.stderr.all, [
      "SIZE must be a number above 0, like 0.1",
    ]);
  });
});
