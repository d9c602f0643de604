import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ipc, tcp } from "../tools/endpoints.ts";
import { scripts, servers, start } from "../tools/script.ts";

const usual: Record<string, string> = {
  "waynes-world/camera1.ts": "tcp://127.0.0.1:5566",
  "waynes-world/camera2.ts": `ipc://${tmpdir()}/waynes-world.ipc`,
  "passing-json/client.ts": "tcp://127.0.0.1:5567",
  "eventloop/client.ts": "tcp://127.0.0.1:5568",
};

// Its wording differs between the versions of Node.
const invalidUrl = (() => {
  try {
    return String(new URL("tcp://127.0.0.1:99999"));
  } catch (error) {
    return String(error);
  }
})();

/** What a script prints of an endpoint that it cannot use. */
function complaint(script: string, endpoint: string, reason: string) {
  return script in usual
    ? `Cannot connect to ${endpoint} (${reason}): try ${usual[script]}`
    : `Cannot bind ${endpoint} (${reason}). If in use: another server may be ` +
        "running. Otherwise try one like tcp://127.0.0.1:6000";
}

describe("An endpoint", { concurrency: 4 }, () => {
  for (const script of servers) {
    test(`that is taken ends a second ${script}, not the first`, async (t) => {
      const endpoints = [await tcp(), ipc()];
      const [endpoint = "", ipcEndpoint = ""] = endpoints;
      const first = start(script, endpoints, t.signal);
      await first.stdout.next(/./);
      const example = script.split("/")[0];
      const clients =
        example === "waynes-world"
          ? [
              start("waynes-world/camera1.ts", [endpoint], t.signal),
              start("waynes-world/camera2.ts", [ipcEndpoint], t.signal),
            ]
          : [start(`${example}/client.ts`, [endpoint], t.signal)];
      for (const { stdout } of clients) await stdout.next(/./);

      const second = start(script, endpoints, t.signal);
      assert.equal(await second.status(), 1);
      const reason = "Error: Address already in use";
      assert.deepEqual(second.stderr.all, [
        complaint(script, endpoint, reason),
      ]);
      assert.deepEqual(second.stdout.all, []);

      const [client] = clients;
      if (example === "eventloop") {
        assert.equal(await client?.status(), 0);
        const next = start("eventloop/client.ts", [endpoint], t.signal);
        assert.equal(await next.status(), 0);
      } else {
        for (const { stdout } of clients) await stdout.next(/./, 2);
      }
      for (const { stderr } of [first, ...clients]) {
        assert.deepEqual(stderr.all, []);
      }
    });
  }

  const nowhere = join(tmpdir(), "no-such-folder");
  for (const script of scripts) {
    const missing = script.endsWith("server.ts")
      ? "Error: No such endpoint"
      : `Error: ENOENT: no such file or directory, access '${nowhere}'`;
    test(`that is malformed ends ${script}`, async (t) => {
      for (const [endpoint, reason] of [
        ["localhost:5566", "Error: Invalid argument"],
        ["--help", "Error: Invalid argument"],
        ["tcp://127.0.0.1:99999", invalidUrl],
        [`ipc://${nowhere}/x.ipc`, missing],
      ] as const) {
        const { stdout, stderr, status } = start(script, [endpoint], t.signal);
        assert.equal(await status(), 1);
        assert.deepEqual(stderr.all, [complaint(script, endpoint, reason)]);
        assert.deepEqual(stdout.all, []);
      }
    });
  }

  test("that is malformed ends waynes-world/server.ts also as the second", async (t) => {
    const script = "waynes-world/server.ts";
    const bad = "tcp://127.0.0.1:99999";
    const { stdout, stderr, status } = start(
      script,
      [await tcp(), bad],
      t.signal,
    );
    assert.equal(await status(), 1);
    assert.deepEqual(stderr.all, [complaint(script, bad, invalidUrl)]);
    assert.deepEqual(stdout.all, []);
  });
});
