import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { Reply, Request } from "zeromq";
import { read, serve, start } from "../tools/script.ts";
import { copy, ipc, tcp } from "../tools/temporary.ts";
import { bind, connect, test } from "../tools/test.ts";

const SERVER = "eventloop/server.ts";
const CLIENT = "eventloop/client.ts";
const REQUESTS = [1, 2, 3, 4, 5].map((n) => `{"n":${n},"text":"hello"}`);
const REPLIES = REQUESTS.map((request) => `MSG: ${request}`);

test("a client waits ten seconds for a reply, and for a server as long as it takes", async () => {
  const endpoint = await tcp();
  const early = start(CLIENT, endpoint);
  const hint = `No server at ${endpoint}: waiting for one.`;
  await early.stderr.next(hint);

  const slow = new Reply();
  const client = start(CLIENT, await bind(slow));
  for (const request of REQUESTS.slice(0, 4)) {
    assert.equal(String(await slow.receive()), request);
    if (request === REQUESTS[0]) await setTimeout(2000);
    await slow.send(request);
  }
  assert.equal(String(await slow.receive()), REQUESTS[4]);
  const begin = performance.now();
  assert.equal(await client.status(), 1);
  const waited = performance.now() - begin;
  // On a busy machine, its clock may be ahead, or its end seen late.
  assert.ok(waited > 7000 && waited < 20_000, `${waited}`);
  assert.deepEqual(client.stdout.all, REPLIES.slice(0, 4));
  await client.stderr.next(/Error: Operation was not possible or timed out/);

  await serve(SERVER, endpoint);
  assert.equal(await early.status(), 0);
  assert.deepEqual(early.stdout.all, REPLIES);
  assert.deepEqual(early.stderr.all, [hint], "said once");
});

test("five echoes, and a clean end", async () => {
  const endpoint = ipc(); // the README's are over TCP
  const server = await serve(SERVER, endpoint);
  const client = start(CLIENT, endpoint);
  assert.equal(await client.status(), 0);
  assert.deepEqual(client.stdout.all, REPLIES);
  assert.deepEqual(client.stderr.all, []);
  const shown = REQUESTS.map((request) => `MSG:  '${request}'`);
  await server.stdout.next(shown[4]);
  assert.deepEqual(server.stdout.all, ["The event loop is running.", ...shown]);
  assert.deepEqual(server.stderr.all, []);
});

test("several clients at once get their own frames back, which are shown escaped", async () => {
  const endpoint = await tcp();
  const server = await serve(SERVER, endpoint);
  const messages = [
    ...[["text"], [""], ["many", "", "frames"], ["\x1b[2J\r\n"]],
    Array.from({ length: 1000 }, String),
    [Buffer.from([0xff, 0x00, 0xfe])],
    [Buffer.alloc(2 ** 20, "a megabyte ")],
  ];
  const clients = messages.map(() => connect(new Request(), endpoint));
  for (const [n, client] of clients.entries()) await client.send(messages[n]);
  for (const [n, client] of clients.entries()) {
    const echo = await client.receive();
    assert.deepEqual(echo, messages[n].map((frame) => Buffer.from(frame)));
  }
  await server.stdout.next(/^MSG/, messages.length);
  for (const shown of ["text", "", "many |  | frames", "\\x1B[2J\\r\\n"]) {
    assert.ok(server.stdout.all.includes(`MSG:  '${shown}'`), shown);
  }
});

test("an error other than EAGAIN ends the server, and is shown", async () => {
  const broken = 'Promise.reject<Buffer[]>(new Error("broken"))';
  const script = copy(read(SERVER).replace("socket.receive()", broken));
  const { status, stderr } = start(script, await tcp());
  await stderr.next(/^Error: broken/);
  assert.equal(await status(), 1);
});

test("a copy's callback may await something before it replies", async () => {
  const endpoint = await tcp();
  const later = '  await new Promise((f) => setTimeout(f, 10)); console.log("later");\n$&';
  const script = copy(read(SERVER).replace("  await socket.send(", later));
  const server = start(script, endpoint);
  const request = connect(new Request(), endpoint);
  for (const message of ["one", "two", "three"]) {
    await request.send(message);
    assert.equal(String(await request.receive()), message);
    await server.stdout.next("later");
  }
});
