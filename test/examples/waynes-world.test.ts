import assert from "node:assert/strict";
import { Subscriber, XPublisher } from "zeromq";
import { serve, start } from "../tools/script.ts";
import { ipc, tcp } from "../tools/temporary.ts";
import { bind, connect, test } from "../tools/test.ts";

const SERVER = "waynes-world/server.ts";
const MSG2 = "MSG 2:  'Camera 2'";

test("the server publishes to all, by turns, a second apart", async () => {
  const endpoints = [await tcp(), ipc()];
  const server = await serve(SERVER, ...endpoints);
  const times = [performance.now()];
  server.stdout.on("line", () => times.push(performance.now()));
  const subscribers = [0, 0, 1, 1].map((n) => {
    const socket = connect(new Subscriber(), endpoints[n]);
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
  const apart = (times[last] - times[0]) / last;
  assert.ok(apart > 700 && apart < 2000, `${times}`);
  const asked = server.stdout.all.map((_, n) => `Camera ${(n % 2) + 1}?`);
  assert.deepEqual(server.stdout.all, asked);
  assert.deepEqual(server.stderr.all, []);
});

for (const n of [1, 2]) {
  test(`two camera${n} show every message each, and nothing else`, async () => {
    const publisher = new XPublisher({ verbosity: "allSubs" });
    const endpoint = await bind(publisher);
    const script = `waynes-world/camera${n}.ts`;
    const cameras = [start(script, endpoint), start(script, endpoint)];
    for (const _ of cameras) await publisher.receive(); // its subscription

    for (const message of ["1", "2", "3", "", "\x1b[31mred\n"]) {
      await publisher.send(message);
    }
    for (const { stdout, stderr } of cameras) {
      await stdout.next(/red/);
      const shown = ["1", "2", "3", "", "\\x1B[31mred\\n"];
      assert.deepEqual(stdout.all, shown.map((message) => `MSG ${n}:  '${message}'`));
      assert.deepEqual(stderr.all, []);
    }
  });
}

test("a second server takes nothing away from the first", async () => {
  const endpoints = [await tcp(), ipc()];
  const first = await serve(SERVER, ...endpoints);
  const second = start(SERVER, ...endpoints);
  assert.equal(await second.status(), 1);
  assert.deepEqual(second.stdout.all, []);
  const reason = `Cannot bind ${endpoints[0]}: Address already in use`;
  assert.deepEqual(second.stderr.all, [reason]);

  const camera2 = start("waynes-world/camera2.ts", endpoints[1]);
  await camera2.stdout.next(MSG2);
  assert.deepEqual([...first.stderr.all, ...camera2.stderr.all], []);

  // It leaves its IPC path behind, which is no obstacle for the next.
  first.child.kill("SIGKILL");
  await first.status();
  await serve(SERVER, ...endpoints);
  await camera2.stdout.next(MSG2, 2);
});

test("the server names the second endpoint when that is the bad one", async () => {
  const { stdout, stderr, status } = start(SERVER, await tcp(), "?");
  assert.equal(await status(), 1);
  assert.deepEqual(stderr.all, ["Cannot bind ?: Invalid argument"]);
  assert.deepEqual(stdout.all, []);
});
