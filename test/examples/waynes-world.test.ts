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

test("the server publishes to all, by turns, a second apart", { skip: noIpc }, async () => {
  const endpoints = await twoEndpoints();
  const { stdout, stderr } = await startServer(SERVER, ...endpoints);
  const subscribers = [0, 0, 1, 1].map((n) => connect(new Subscriber(), endpoints[n]));
  for (const socket of subscribers) socket.subscribe();
  await assertRepeats(stdout, /^Camera [12]\?$/, 900, 1700);
  for (const time of [1, 2]) {
    for (const [n, socket] of subscribers.entries()) {
      const expected = n < 2 ? "Camera 1" : "Camera 2";
      assert.equal(String(await socket.receive()), expected, `time ${time}`);
    }
  }
  for (const [n, line] of stdout.all.entries()) assert.equal(line, `Camera ${(n % 2) + 1}?`);
  assert.deepEqual(stderr.all, []);
});

for (const n of [1, 2]) {
  test(`two camera${n} show every message each, and nothing else`, async () => {
    const { publisher, endpoint } = await startPublisher();
    const script = `waynes-world/camera${n}.ts`;
    const cameras = [startScript(script, endpoint), startScript(script, endpoint)];
    for (const _ of cameras) await publisher.receive(); // its subscription
    for (const message of ["1", "2", "", "\x1b\x1b[0m[31mred\n"]) await publisher.send(message);
    const shown = ["1", "2", "", "\\x1B\\x1B[0m[31mred\\n"].map((text) => `MSG ${n}:  '${text}'`);
    for (const { stdout, stderr } of cameras) {
      await stdout.next(/red/);
      assert.deepEqual([...stdout.all, ...stderr.all], shown);
    }
  });
}

test("waynes-world: nobody is there yet", { skip: noIpc }, async () => {
  const lonely = await startServer(SERVER, ...(await twoEndpoints()));
  const endpoints = await twoEndpoints();
  const cameras = startCameras(endpoints);
  await Promise.all(cameras.map((camera, n) => assertSaysNoServer(camera, endpoints[n])));
  await lonely.stdout.next("Camera 1?"); // for the second time

  await startServer(SERVER, ...endpoints);
  for (const [n, { stdout }] of cameras.entries()) {
    assert.equal(await stdout.next(/./), `MSG ${n + 1}:  'Camera ${n + 1}'`);
  }
});

test("waynes-world: the other side dies", { skip: noIpc }, async () => {
  const endpoints = await twoEndpoints();
  const first = await startServer(SERVER, ...endpoints);
  const cameras = startCameras(endpoints);
  for (const { stdout } of cameras) await stdout.next(/^MSG/);
  first.child.kill("SIGKILL");
  for (const { stderr } of cameras) await stderr.next(/^No server/);
  // An IPC path that is left behind is no obstacle for the next server.
  const second = await startServer(SERVER, ...endpoints);
  for (const { stdout } of cameras) {
    stdout.skip();
    await stdout.next(/^MSG/);
  }

  cameras[0].child.kill("SIGKILL");
  await cameras[0].exitStatus();
  cameras[1].stdout.skip();
  await cameras[1].stdout.next(/^MSG/);
  assert.deepEqual(second.stderr.all, []);
});

test("waynes-world: the other side is slow", { skip: notOnWindows }, async () => {
  const { publisher, endpoint } = await startPublisher();
  const [slow] = startCameras([endpoint]);
  await publisher.receive(); // its subscription
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
  assert.ok(shown() > 0 && shown() < 10_000, `${shown()}`);
});

test("waynes-world: the other side sends rubbish", async () => {
  const endpoint = await tcpEndpoint();
  const server = await startServer(SERVER, endpoint, "tcp://127.0.0.1:*");
  await bother(endpoint);
  const [camera] = startCameras([endpoint]);
  await camera.stdout.next("MSG 1:  'Camera 1'");
  assert.deepEqual(server.stderr.all, []);
});

test("a second server leaves the first its IPC path", { skip: noIpc }, async () => {
  const endpoints = await twoEndpoints();
  await startServer(SERVER, ...endpoints);
  assert.equal(await startScript(SERVER, ...endpoints).exitStatus(), 1);
  const camera2 = startScript("waynes-world/camera2.ts", endpoints[1]);
  await camera2.stdout.next("MSG 2:  'Camera 2'");
});
