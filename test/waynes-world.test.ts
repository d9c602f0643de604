import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Subscriber, XPublisher } from "zeromq";
import { bind, ipc, tcp } from "../tools/endpoints.ts";
import { end, patience, serve, start } from "../tools/script.ts";
import { open } from "../tools/sockets.ts";

const SERVER = "waynes-world/server.ts";
const MSG1 = "MSG 1:  'Camera 1'";
const MSG2 = "MSG 2:  'Camera 2'";

afterEach(end);

test("the server publishes to all, by turns, a second apart", async () => {
  const endpoints = [await tcp(), ipc()];
  const server = await serve(SERVER, ...endpoints);
  const times = [performance.now()];
  server.stdout.each(() => times.push(performance.now()));
  const subscribers = [0, 0, 1, 1].map((n) => {
    const socket = open(new Subscriber({ receiveTimeout: patience }));
    socket.connect(endpoints[n]);
    socket.subscribe();
    return socket;
  });
  for (const [n, socket] of subscribers.entries()) {
    const camera = n < 2 ? "Camera 1" : "Camera 2";
    for (let messages = 0; messages < 2; messages++) {
      assert.equal(String(await socket.receive()), camera);
    }
  }
  // Only the first line may have been read late.
  const last = times.length - 1;
  assert.ok((times[last] - times[0]) / last > 700, `${times}`);
  const asked = server.stdout.all.map((_, n) => `Camera ${(n % 2) + 1}?`);
  assert.deepEqual(server.stdout.all, asked);
  assert.deepEqual(server.stderr.all, []);
});

for (const n of [1, 2]) {
  test(`two camera${n} show every message each, and nothing else`, async () => {
    const publisher = open(new XPublisher({
      receiveTimeout: patience,
      verbosity: "allSubs",
    }));
    const endpoint = await bind(publisher);
    const script = `waynes-world/camera${n}.ts`;
    const cameras = [start(script, endpoint), start(script, endpoint)];
    for (const _ of cameras) await publisher.receive(); // its subscription

    for (const message of ["1", "2", "3", "", "\x1b[31mred\n"]) {
      await publisher.send(message);
    }
    for (const { stdout, stderr } of cameras) {
      await stdout.next(/red/);
      assert.deepEqual(
        stdout.all,
        ["1", "2", "3", "", "\\x1B[31mred\\n"].map((m) => `MSG ${n}:  '${m}'`),
      );
      assert.deepEqual(stderr.all, []);
    }
  });
}

test("cameras wait for their server, and for its next start", async () => {
  const [endpoint1, endpoint2] = [await tcp(), ipc()];
  const camera1 = start("waynes-world/camera1.ts", endpoint1);
  const camera2 = start("waynes-world/camera2.ts", endpoint2);
  const hint1 = `No server at ${endpoint1}: waiting for one.`;
  const hint2 = `No server at ${endpoint2}: waiting for one.`;
  await camera1.stderr.next(hint1);
  await camera2.stderr.next(hint2);

  for (let starts = 1; starts <= 2; starts++) {
    const server = await serve(SERVER, endpoint1, endpoint2);
    await camera1.stdout.next(MSG1);
    await camera2.stdout.next(MSG2);
    server.child.kill("SIGKILL");
    await server.status();
  }
  assert.deepEqual(camera1.stderr.all, [hint1], "said once");
  assert.deepEqual(camera2.stderr.all, [hint2], "said once");
});

test("a second server takes nothing away from the first", async () => {
  const endpoints = [await tcp(), ipc()];
  const first = await serve(SERVER, ...endpoints);
  const second = start(SERVER, ...endpoints);
  assert.equal(await second.status(), 1);
  assert.deepEqual(second.stdout.all, []);
  assert.deepEqual(second.stderr.all, [
    `Cannot bind ${endpoints[0]}: Address already in use`,
  ]);

  const camera2 = start("waynes-world/camera2.ts", endpoints[1]);
  await camera2.stdout.next(MSG2);
  assert.deepEqual(camera2.stderr.all, []);
  assert.deepEqual(first.stderr.all, []);
});

test("the server names the second endpoint when that is the bad one", async () => {
  const { stdout, stderr, status } = start(SERVER, await tcp(), "?");
  assert.equal(await status(), 1);
  assert.deepEqual(stderr.all, ["Cannot bind ?: Invalid argument"]);
  assert.deepEqual(stdout.all, []);
});
