import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Publisher } from "zeromq";
import { ipc, tcp } from "../tools/endpoints.ts";
import { start } from "../tools/script.ts";

const MSG1 = "MSG 1:  'Camera 1'";
const MSG2 = "MSG 2:  'Camera 2'";

describe("Wayne's World", { concurrency: 4 }, () => {
  test("each camera shows what is sent to it, and only that", async (t) => {
    const endpoints = [await tcp(), ipc()];
    const server = start("waynes-world/server.ts", endpoints, t.signal);
    await server.stdout.next("Camera 1?");
    const camera1 = start(
      "waynes-world/camera1.ts",
      endpoints.slice(0, 1),
      t.signal,
    );
    const camera2 = start(
      "waynes-world/camera2.ts",
      endpoints.slice(1),
      t.signal,
    );
    await camera1.stdout.next(MSG1, 2);
    await camera2.stdout.next(MSG2, 2);
    assert.deepEqual(new Set(camera1.stdout.all), new Set([MSG1]));
    assert.deepEqual(new Set(camera2.stdout.all), new Set([MSG2]));
    assert.deepEqual(camera1.stderr.all, []);
  });

  test("the server needs no camera, and takes a second for each", async (t) => {
    const args = [await tcp(), ipc()];
    const server = start("waynes-world/server.ts", args, t.signal);
    await server.stdout.next("Camera 1?");
    const begin = performance.now();
    await server.stdout.next("Camera 1?", 2);
    assert.deepEqual(server.stdout.all, [
      "Camera 1?",
      "Camera 2?",
      "Camera 1?",
      "Camera 2?",
      "Camera 1?",
    ]);
    // Four seconds; the first line may have been read late.
    assert.ok(performance.now() - begin > 3000);
    assert.deepEqual(server.stderr.all, []);
  });

  test("two of the same camera each show every message", async (t) => {
    const endpoints = [await tcp(), ipc()];
    start("waynes-world/server.ts", endpoints, t.signal);
    const cameras = [1, 2].map(() =>
      start("waynes-world/camera1.ts", endpoints.slice(0, 1), t.signal),
    );
    for (const { stdout } of cameras) await stdout.next(MSG1, 2);
  });

  test("cameras wait for their server, and for its next start", async (t) => {
    const endpoints = [await tcp(), ipc()];
    const [tcpEndpoint = "", ipcEndpoint = ""] = endpoints;
    const camera1 = start("waynes-world/camera1.ts", [tcpEndpoint], t.signal);
    const camera2 = start("waynes-world/camera2.ts", [ipcEndpoint], t.signal);
    const noServer1 = `No server at ${tcpEndpoint} yet: waiting for one.`;
    const noServer2 = `No server at ${ipcEndpoint} yet: waiting for one.`;
    await camera1.stderr.next(noServer1);
    await camera2.stderr.next(noServer2);

    for (let starts = 1; starts <= 2; starts++) {
      const server = start("waynes-world/server.ts", endpoints, t.signal);
      await camera1.stdout.next(MSG1);
      await camera2.stdout.next(MSG2);
      server.child.kill("SIGKILL");
      await server.status();
    }
    assert.deepEqual(camera1.stderr.all, [noServer1], "said once");
    assert.deepEqual(camera2.stderr.all, [noServer2], "said once");
  });

  test("a camera shows every topic, with control characters escaped", async (t) => {
    const endpoint = await tcp();
    const publisher = new Publisher();
    t.after(() => publisher.close());
    await publisher.bind(endpoint);
    const cameras = [1, 2].map((n) =>
      start(`waynes-world/camera${n}.ts`, [endpoint], t.signal),
    );

    // A subscription arrives some time after connect(): send until it has.
    const sending = setInterval(() => publisher.send("\x1b[31mred\n"), 50);
    t.after(() => clearInterval(sending));
    for (const [index, { stdout }] of cameras.entries()) {
      await stdout.next(`MSG ${index + 1}:  '\\x1B[31mred\\n'`);
    }
  });
});
