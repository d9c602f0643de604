import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tcp } from "../tools/endpoints.ts";
import { start } from "../tools/script.ts";

const ASKED = "Hello world?";
const DONE = "200 :: hello world";

/** Starts a server, and so many workers, at an endpoint of their own. */
async function startPool(workers: number, signal: AbortSignal) {
  const endpoint = await tcp();
  const server = start("passing-json/server.ts", [endpoint], signal);
  await server.stdout.next(ASKED);
  const startWorker = () => start("passing-json/client.ts", [endpoint], signal);
  return {
    server,
    startWorker,
    pool: Array.from({ length: workers }, startWorker),
  };
}

describe("Passing JSON", { concurrency: 4 }, () => {
  test("a worker shows each job, one a second", async (t) => {
    const {
      server,
      pool: [worker],
    } = await startPool(1, t.signal);
    await worker?.stdout.next(DONE);
    const begin = performance.now();
    await worker?.stdout.next(DONE, 3);
    // Three seconds; the first line may have been read late.
    assert.ok(performance.now() - begin > 2000);
    assert.deepEqual(new Set(server.stdout.all), new Set([ASKED]));
    assert.deepEqual(new Set(worker?.stdout.all), new Set([DONE]));
    assert.deepEqual(server.stderr.all, []);
    assert.deepEqual(worker?.stderr.all, []);
  });

  test("two workers take turns", async (t) => {
    const { pool } = await startPool(2, t.signal);
    await Promise.all(pool.map(({ stdout }) => stdout.next(DONE)));
    const before = pool.map(({ stdout }) => stdout.all.length);
    await pool[0]?.stdout.next(DONE, 2);
    const [first = 0, second = 0] = pool.map(
      ({ stdout }, index) => stdout.all.length - (before[index] ?? 0),
    );
    assert.ok(Math.abs(first - second) <= 1, `${first} and ${second} jobs`);
  });

  test("the server waits while there is no worker", async (t) => {
    // Another server, which has a worker, shows that time goes by.
    const clock = await startPool(1, t.signal);
    const { server, startWorker } = await startPool(0, t.signal);
    await clock.server.stdout.next(ASKED, 3);
    assert.deepEqual(server.stdout.all, [ASKED], "before the first worker");

    const worker = startWorker();
    await worker.stdout.next(DONE);
    worker.child.kill("SIGKILL");
    await worker.status();
    const asked = server.stdout.all.length;
    await clock.server.stdout.next(ASKED, 5);
    // Five seconds; it may have been told too late that the worker was gone.
    assert.ok(server.stdout.all.length <= asked + 3, "after the last worker");

    await startWorker().stdout.next(DONE);
  });

  test("when a worker dies, another gets all the jobs", async (t) => {
    const {
      server,
      pool: [mortal, heir],
    } = await startPool(2, t.signal);
    await mortal?.stdout.next(DONE);
    await heir?.stdout.next(DONE);
    mortal?.child.kill("SIGKILL");
    await mortal?.status();
    await server.stdout.next(ASKED);
    const done = heir?.stdout.all.length ?? 0;
    const asked = server.stdout.all.length;
    await heir?.stdout.next(DONE, 4);
    const missed =
      server.stdout.all.length -
      asked -
      ((heir?.stdout.all.length ?? 0) - done);
    assert.ok(missed <= 2, `${missed} jobs went to nobody`);
  });

  test("workers wait for their server, and for its next start", async (t) => {
    const endpoint = await tcp();
    const worker = start("passing-json/client.ts", [endpoint], t.signal);
    const noServer = `No server at ${endpoint} yet: waiting for one.`;
    await worker.stderr.next(noServer);
    for (let starts = 1; starts <= 2; starts++) {
      const server = start("passing-json/server.ts", [endpoint], t.signal);
      await worker.stdout.next(DONE, 2);
      server.child.kill("SIGKILL");
      await server.status();
    }
    assert.deepEqual(worker.stderr.all, [noServer], "said once");
  });
});
