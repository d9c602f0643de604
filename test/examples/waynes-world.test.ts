import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Subscriber, XPublisher } from "zeromq";
import { startServer, startScript } from "../../tools/child.ts";
import { ipcEndpoint, tcpEndpoint } from "../../tools/endpoints.ts";
import {
  assertRepeats,
  assertSaysNoServer,
  bind,
  bother,
  connect,
  noIpc,
  notOnWindows,
  subscribe,
} from "../support.ts";

const SERVER = "waynes-world/server.ts";
const twoEndpoints = async () => [await tcpEndpoint(), ipcEndpoint()];
const startCameras = (endpoints: string[]) =>
  endpoints.map((endpoint, n) => startScript(`waynes-world/camera${n + 1}.ts`, endpoint));
const startPublisher = async () => {
  const publisher = new XPublisher({ verbosity: "allSubs" });
  return { publisher, endpoint: await bind(publisher) };
};

test("waynes-world: Start `server.ts` alone", { skip: noIpc }, async () => {
  const endpoints = await twoEndpoints();
  const { stdout, stderr } = await startServer(SERVER, ...endpoints);
  await assertRepeats(stdout, /^Camera [12]\?$/, 900, 1700);
  // It publishes to all, by turns.
  const subscribers = [0, 0, 1, 1].map((n) => connect(new Subscriber(), endpoints[n]));
  for (const socket of subscribers) socket.subscribe();
  for (const time of [1, 2]) {
    for (const [n, socket] of subscribers.entries()) {
      const expected = n < 2 ? "Camera 1" : "Camera 2";
      assert.equal(String(await socket.receive()), expected, `time ${time}`);
    }
  }
  for (const [n, line] of stdout.all.entries()) assert.equal(line, `Camera ${(n % 2) + 1}?`);
  assert.deepEqual(stderr.all, []);
});

test("waynes-world: Start `camera1.ts`, then `server.ts`", { skip: noIpc }, async () => {
  const endpoints = await twoEndpoints();
  const cameras = startCameras(endpoints);
  await Promise.all(cameras.map((camera, n) => assertSaysNoServer(camera, endpoints[n])));
  await startServer(SERVER, ...endpoints);
  for (const [n, { stdout }] of cameras.entries()) {
    assert.equal(await stdout.next(/./), `MSG ${n + 1}:  'Camera ${n + 1}'`);
  }
});

test("waynes-world: Start a second `camera1.ts`", async () => {
  const { publisher, endpoint } = await startPublisher();
  const cameras = [1, 1, 2].map((n) => {
    return { n, ...startScript(`waynes-world/camera${n}.ts`, endpoint) };
  });
  for (const _ of cameras) await publisher.receive(); // its subscription
  for (const message of ["1", "2", "", "\x1b\x1b[0m[31mred\n"]) await publisher.send(message);
  const shown = ["1", "2", "", "\\x1B\\x1B[0m[31mred\\n"];
  for (const { n, stdout, stderr } of cameras) {
    await stdout.next(/red/);
    const lines = shown.map((text) => `MSG ${n}:  '${text}'`);
    assert.deepEqual([...stdout.all, ...stderr.all], lines);
  }
});

const noIpcOrSignals = noIpc || notOnWindows;
const restart = "waynes-world: Stop the server with Ctrl-C, then start it again";
test(restart, { skip: noIpcOrSignals }, async () => {
  const endpoints = await twoEndpoints();
  const first = await startServer(SERVER, ...endpoints);
  // A second server leaves the first its IPC path.
  assert.equal(await startScript(SERVER, ...endpoints).exitStatus(), 1);
  const cameras = startCameras(endpoints);
  for (const { stdout } of cameras) await stdout.next(/^MSG/);
  first.child.kill("SIGINT");
  for (const { stderr } of cameras) await stderr.next(/^No server/);
  // The file that is left behind at the IPC path is no obstacle for the next server.
  await startServer(SERVER, ...endpoints);
  for (const { stdout } of cameras) {
    stdout.skip();
    await stdout.next(/^MSG/);
  }
});

test("waynes-world: Stop a camera with Ctrl-C", { skip: noIpcOrSignals }, async () => {
  const endpoints = await twoEndpoints();
  const server = await startServer(SERVER, ...endpoints);
  const [first, second] = startCameras(endpoints);
  for (const { stdout } of [first, second]) await stdout.next(/^MSG/);
  first.child.kill("SIGINT");
  assert.equal(await first.exitStatus(), "SIGINT");
  second.stdout.skip();
  await second.stdout.next(/^MSG/);
  assert.deepEqual(server.stderr.all, []);
});

const sleeper = "waynes-world: Stop a camera with Ctrl-Z, wait, and wake it with `fg`";
test(sleeper, { skip: notOnWindows }, async () => {
  const { publisher, endpoint } = await startPublisher();
  const [slow] = startCameras([endpoint]);
  await publisher.receive(); // its subscription
  slow.child.kill("SIGSTOP");
  for (let n = 1; n <= 1000; n++) await publisher.send(`${n}`);
  slow.child.kill("SIGCONT");
  await slow.stdout.next("MSG 1:  '1000'");
  assert.equal(slow.stdout.all.length, 1000);

  // It misses what its queue cannot hold.
  slow.child.kill("SIGSTOP");
  for (let n = 0; n < 10_000; n++) await publisher.send("x".repeat(10_000));
  const quick = await subscribe(publisher, endpoint);
  await publisher.send("to all");
  assert.equal(String(await quick.receive()), "to all");
  slow.child.kill("SIGCONT");
  const shown = () => slow.stdout.all.indexOf("MSG 1:  'to all'");
  while (shown() === -1) {
    await publisher.send("to all"); // may be dropped again
    await sleep(10);
  }
  assert.ok(shown() > 1000 && shown() < 11_000, `${shown()}`);
});

test("waynes-world: `curl 127.0.0.1:5566`", async () => {
  const endpoint = await tcpEndpoint();
  const server = await startServer(SERVER, endpoint, "tcp://127.0.0.1:*");
  await bother(endpoint);
  const [camera] = startCameras([endpoint]);
  await camera.stdout.next("MSG 1:  'Camera 1'");
  assert.deepEqual(server.stderr.all, []);
});
