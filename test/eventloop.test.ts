import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { Dealer, Request } from "zeromq";
import { ipc, tcp } from "../tools/endpoints.ts";
import { end, patience, root, serve, start } from "../tools/script.ts";
import { open } from "../tools/sockets.ts";
import { project } from "../tools/temporary.ts";

const SERVER = "eventloop/server.ts";
const CLIENT = "eventloop/client.ts";
const REQUESTS = [1, 2, 3, 4, 5].map((n) => `{"n":${n},"text":"hello"}`);
const REPLIES = REQUESTS.map((request) => `MSG: ${request}`);
const RUNNING = "The event loop is running.";

afterEach(end);

/** A client that is this test, at such an endpoint. */
function connectRequest(endpoint: string) {
  const request = open(new Request({ receiveTimeout: patience }));
  request.connect(endpoint);
  return request;
}

test("five echoes, and a clean end", async () => {
  const endpoint = ipc(); // the README's are over TCP
  const server = await serve(SERVER, endpoint);
  const client = start(CLIENT, endpoint);
  assert.equal(await client.status(), 0);
  assert.deepEqual(client.stdout.all, REPLIES);
  assert.deepEqual(client.stderr.all, []);
  const shown = REQUESTS.map((request) => `MSG:  '${request}'`);
  await server.stdout.next(shown[4]);
  assert.deepEqual(server.stdout.all, [RUNNING, ...shown]);
  assert.deepEqual(server.stderr.all, []);
});

test("several clients at once are all served", async () => {
  const endpoint = await tcp();
  await serve(SERVER, endpoint);
  const clients = [1, 2, 3].map(() => start(CLIENT, endpoint));
  for (const { status, stdout } of clients) {
    assert.equal(await status(), 0);
    assert.deepEqual(stdout.all, REPLIES);
  }
});

test("frames come back unchanged, and are shown escaped", async () => {
  const endpoint = await tcp();
  const server = await serve(SERVER, endpoint);
  const request = connectRequest(endpoint);
  for (const message of [
    ["text"],
    [""],
    ["many", "", "frames"],
    Array.from({ length: 1000 }, String),
    [Buffer.from([0xff, 0x00, 0xfe])],
    [Buffer.alloc(2 ** 20, "a megabyte ")],
    ["\x1b[2J\r\n"],
  ]) {
    await request.send(message);
    const echo = await request.receive();
    assert.equal(echo.length, message.length);
    assert.ok(echo.every((frame, n) => frame.equals(Buffer.from(message[n]))));
  }
  await server.stdout.next("MSG:  'text'");
  await server.stdout.next("MSG:  ''");
  await server.stdout.next("MSG:  'many |  | frames'");
  await server.stdout.next("MSG:  '\\x1B[2J\\r\\n'");
});

test("a peer that sends no delimiter frame does not end the echo", async () => {
  const endpoint = await tcp();
  const server = await serve(SERVER, endpoint);
  const dealer = open(new Dealer({ receiveTimeout: patience }));
  dealer.connect(endpoint);
  for (let n = 0; n < 100; n++) {
    await dealer.send("no delimiter");
    await dealer.send(["nor", "here"]);
    await dealer.send(["", `echo ${n}`]);
    assert.equal(String(await dealer.receive()), `,echo ${n}`);
  }
  assert.deepEqual(server.stderr.all, []);
});

/** Starts a copy of the server, in a project of its own, with a change. */
function startCopy(endpoint: string, from: string, to: string) {
  const path = join(project(), "server.ts");
  const code = readFileSync(join(root, SERVER), "utf8");
  writeFileSync(path, code.replace(from, to));
  return start(path, endpoint);
}

test("any other error ends the server, and is shown", async () => {
  const { status, stderr } = startCopy(
    await tcp(),
    "socket.receive()",
    'Promise.reject<Buffer[]>(new Error("broken"))',
  );
  await stderr.next(/^Error: broken/);
  assert.equal(await status(), 1);
});

test("a copy's callback may await something before it replies", async () => {
  const endpoint = await tcp();
  startCopy(
    endpoint,
    "  await socket.send(",
    "  await new Promise((done) => setTimeout(done, 10));\n$&",
  );
  const request = connectRequest(endpoint);
  for (const message of ["one", "two", "three"]) {
    await request.send(message);
    assert.equal(String(await request.receive()), message);
  }
});
