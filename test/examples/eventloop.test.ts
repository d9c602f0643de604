import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Dealer, Reply, Request } from "zeromq";
import { startServer, startScript } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import {
  assertRepeats,
  assertSaysNoServer,
  bind,
  bother,
  close,
  connect,
  copy,
  event,
  notOnWindows,
} from "../support.ts";

const SERVER = "eventloop/server.ts";
const CLIENT = "eventloop/client.ts";
const REQUESTS = [1, 2, 3, 4, 5].map((n) => `{"n":${n},"text":"hello"}`);
const SHOWN = REQUESTS.map((request) => `MSG:  '${request}'`);

test("eventloop: Start `client.ts`, then `server.ts`", async () => {
  const endpoint = await tcpEndpoint();
  // It waits longer than for a reply, which here is two seconds.
  const client = startScript(copy(CLIENT, { "10_000": "2_000" }), endpoint);
  await assertSaysNoServer(client, endpoint);
  const { stdout, stderr } = await startServer(SERVER, endpoint);
  await stdout.next(SHOWN[4]);
  const lines = stdout.all.filter((line) => line !== "tick");
  assert.deepEqual(lines, [`Listening at ${endpoint}`, ...SHOWN]);
  // The event loop does other work, too.
  await assertRepeats(stdout, "tick", 900, 1700);
  assert.deepEqual(stderr.all, []);
  assert.equal(await client.exitStatus(), 0);
  assert.deepEqual(client.stdout.all, SHOWN);
});

test("a client ends ten seconds after its server has died", async () => {
  const mortal = new Reply();
  const endpoint = await bind(mortal);
  const begin = performance.now();
  const client = startScript(CLIENT, endpoint);
  assert.equal(String(await mortal.receive()), REQUESTS[0]);
  await close(mortal);
  await startServer(SERVER, endpoint);
  assert.equal(await client.exitStatus(), 1);
  const waited = performance.now() - begin;
  assert.ok(waited > 10_000, `${waited}`);
  await client.stderr.next(/Error: Operation was not possible or timed out/);
  assert.deepEqual(client.stdout.all, []);
});

test("a slow end disturbs nobody else", async () => {
  const slow = new Reply();
  const client = startScript(CLIENT, await bind(slow));
  for (const request of REQUESTS) {
    assert.equal(String(await slow.receive()), request);
    if (request === REQUESTS[0]) await sleep(2000);
    await slow.send("\x1b[2J");
  }
  assert.equal(await client.exitStatus(), 0);
  assert.deepEqual([...client.stdout.all, ...client.stderr.all], Array(5).fill("MSG:  '\\x1B[2J'"));

  // Who takes no replies does not hold up the others, and loses some.
  const endpoint = await tcpEndpoint();
  await startServer(SERVER, endpoint);
  const deaf = connect(new Dealer({ receiveHighWaterMark: 1, receiveTimeout: 500 }), endpoint);
  for (let n = 0; n < 5_000; n++) await deaf.send("x".repeat(10_000));
  await assertServes(endpoint);
  let replies = 0;
  while (await deaf.receive().catch(() => false)) replies++;
  assert.ok(replies > 0 && replies < 5_000, `${replies}`);
});

/** Asks again and again, until something else is done, and expects each reply. */
async function assertServes(endpoint: string, during?: Promise<unknown>) {
  const friend = connect(new Request(), endpoint);
  let isDone = !during;
  during?.then(() => (isDone = true));
  for (let n = 0; n < 100 || !isDone; n++) {
    await friend.send(`${n}`);
    assert.equal(String(await friend.receive()), `${n}`);
    await sleep(1); // The machine has other work.
  }
}

// With a Reply as the server's socket, a friend waits in vain: after a message
// of a stranger that has gone, libzmq 4.3.5 drops the next reply.
test("eventloop: `curl 127.0.0.1:5568`", async () => {
  const endpoint = await tcpEndpoint();
  const server = await startServer(SERVER, endpoint);
  await assertServes(endpoint, bother(endpoint));
  assert.deepEqual(server.stderr.all, []);
});

const wake =
  "eventloop: Stop the server with Ctrl-Z, start a client, and wake the server with `fg`";
test(wake, { skip: notOnWindows }, async () => {
  const endpoint = await tcpEndpoint();
  const server = await startServer(SERVER, endpoint);
  server.child.kill("SIGSTOP");
  const client = startScript(CLIENT, endpoint);
  await sleep(1500);
  assert.deepEqual([...client.stdout.all, ...client.stderr.all], []);
  server.child.kill("SIGCONT");
  assert.equal(await client.exitStatus(), 0);
  assert.deepEqual(client.stdout.all, SHOWN);
});

const long = 'eventloop: Write `text: "x".repeat(1_100_000)` in `client.ts`, and start it';
test(long, async () => {
  const endpoint = await tcpEndpoint();
  const server = await startServer(SERVER, endpoint);
  const changes = { "10_000": "3_000", '"hello"': '"x".repeat(1_100_000)' };
  const client = startScript(copy(CLIENT, changes), endpoint);
  await assertServes(endpoint, client.exitStatus());
  await client.stderr.next(`No server at ${endpoint}: trying again`);
  await client.stderr.next("[Error: Operation was not possible or timed out] {");
  assert.equal(await client.exitStatus(), 1);
  assert.deepEqual(server.stderr.all, []);
});

test("peers get their own frames back, whose last one is shown", async () => {
  const endpoint = await tcpEndpoint();
  const { stdout } = await startServer(SERVER, endpoint);
  const peers = [connect(new Request(), endpoint), connect(new Dealer(), endpoint)];
  for (const [shown, ...frames] of [
    ["", ""],
    ["frames", "many", "", "frames"],
    ["\\x1B[2J\\r\\n", "\x1b[2J\r\n"],
    ["\\x1B\\x1B[0m[31mred", "\x1b\x1b[0m[31mred"],
    ["999", ...Array.from({ length: 1000 }, (_, n) => `${n}`)],
    ["\ufffd\\x00\ufffd", Buffer.from([0xff, 0x00, 0xfe])],
    ["x".repeat(60), "x".repeat(1_000_000)],
  ]) {
    const sent = frames.map((frame) => Buffer.from(frame));
    for (const peer of peers) {
      await peer.send(frames);
      assert.deepEqual(await peer.receive(), sent);
      assert.equal(await stdout.next(/^MSG/), `MSG:  '${shown}'`);
    }
  }
  // A larger frame disconnects its sender.
  const refused = event(peers[1], "disconnect");
  await peers[1].send(Buffer.alloc(1_000_001));
  await refused;
});

test("a copy shows what its callback cannot handle, and continues", async () => {
  const endpoint = await tcpEndpoint();
  const changes = { "answer = request": "answer = JSON.parse(`${request}`)" };
  const server = await startServer(copy(SERVER, changes), endpoint);
  const [stranger, friend] = [connect(new Request(), endpoint), connect(new Request(), endpoint)];
  await stranger.send("\x1b[31mred\n");
  await server.stderr.next(/^No answer: .SyntaxError: .*"\\x1B\[31mred\\n" is not valid JSON.$/);
  await friend.send("5");
  assert.equal(String(await friend.receive()), "5");
  assert.equal(server.stderr.all.length, 1);
});
