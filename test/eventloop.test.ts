import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Reply, Request, Router } from "zeromq";
import { ipc, tcp } from "../tools/endpoints.ts";
import { patience, start } from "../tools/script.ts";

const REQUESTS = [1, 2, 3, 4, 5].map((n) => `{"n":${n},"text":"hello"}`);
const REPLIES = REQUESTS.map((request) => `MSG: ${request}`);
const RUNNING = "The event loop is running.";

/** Starts the echo server and waits until it serves. */
async function startServer(endpoint: string, signal: AbortSignal) {
  const server = start("eventloop/server.ts", [endpoint], signal);
  await server.stdout.next(RUNNING);
  return server;
}

const endpoints = [await tcp(), ipc()];

describe("Event loop", { concurrency: 4 }, () => {
  for (const endpoint of endpoints) {
    const transport = endpoint.split(":")[0];
    test(`five echoes over ${transport}, and a clean end`, async (t) => {
      const server = await startServer(endpoint, t.signal);
      const client = start("eventloop/client.ts", [endpoint], t.signal);
      assert.equal(await client.status(), 0);
      assert.deepEqual(client.stdout.all, REPLIES);
      assert.deepEqual(client.stderr.all, []);
      const shown = REQUESTS.map((request) => `MSG:  '${request}'`);
      // On a very busy machine, a client may have asked twice.
      assert.deepEqual([...new Set(server.stdout.all)], [RUNNING, ...shown]);
      assert.deepEqual(server.stderr.all, []);
    });
  }

  test("several clients at once are all served", async (t) => {
    const endpoint = await tcp();
    await startServer(endpoint, t.signal);
    const clients = Array.from({ length: 4 }, () =>
      start("eventloop/client.ts", [endpoint], t.signal),
    );
    for (const { status, stdout } of clients) {
      assert.equal(await status(), 0);
      assert.deepEqual(stdout.all, REPLIES);
    }
  });

  test("frames come back unchanged, and are shown escaped", async (t) => {
    const endpoint = await tcp();
    const server = await startServer(endpoint, t.signal);
    const request = new Request({ linger: 0, receiveTimeout: patience });
    t.after(() => request.close());
    request.connect(endpoint);
    for (const frames of [
      ["text"],
      [""],
      ["many", "", "frames"],
      Array.from({ length: 1000 }, String),
      [Buffer.from([0xff, 0x00, 0xfe])],
      [Buffer.alloc(2 ** 20, "a megabyte ")],
      ["\x1b[2J\r\n"],
    ]) {
      await request.send(frames);
      assert.deepEqual(
        await request.receive(),
        frames.map((f) => Buffer.from(f)),
      );
    }
    await server.stdout.next("MSG:  'text'");
    await server.stdout.next("MSG:  ''");
    await server.stdout.next("MSG:  'many |  | frames'");
    await server.stdout.next("MSG:  '\\x1B[2J\\r\\n'");
  });

  test("a client waits for its server, and asks it once", async (t) => {
    const endpoint = await tcp();
    const client = start("eventloop/client.ts", [endpoint], t.signal);
    await client.stderr.next(`No server at ${endpoint} yet: waiting for one.`);

    // Another client, that gets no reply, shows that time goes by: enough for
    // three copies of a request, if they were queued without a server.
    const silent = new Router({ receiveTimeout: patience });
    t.after(() => silent.close());
    const other = await tcp();
    await silent.bind(other);
    start("eventloop/client.ts", [other], t.signal);
    for (let requests = 0; requests < 3; requests++) await silent.receive();

    const server = await startServer(endpoint, t.signal);
    assert.equal(await client.status(), 0);
    assert.deepEqual(client.stdout.all, REPLIES);
    assert.equal(client.stderr.all.length, 1, "said once");
    const copies = server.stdout.all.filter((line) => line.includes('"n":1'));
    assert.ok(copies.length < 3, `${copies.length} copies`);
  });

  test("a client asks again when its server lost the request", async (t) => {
    const endpoint = await tcp();
    const forgetful = new Reply({ linger: 0, receiveTimeout: patience });
    await forgetful.bind(endpoint);
    const client = start("eventloop/client.ts", [endpoint], t.signal);
    await forgetful.receive();
    await forgetful.unbind(endpoint);
    forgetful.close();

    await startServer(endpoint, t.signal);
    assert.equal(await client.status(), 0);
    assert.deepEqual(client.stdout.all, REPLIES);
  });

  test("a reply that comes too late is not taken for another", async (t) => {
    const endpoint = await tcp();
    const router = new Router({ linger: 0, receiveTimeout: patience });
    t.after(() => router.close());
    await router.bind(endpoint);
    const client = start("eventloop/client.ts", [endpoint], t.signal);
    const answer = async () => {
      const first = await router.receive();
      let next = await router.receive();
      await router.send([...first.slice(0, -1), "late"]);
      for (;;) {
        await router.send([...next.slice(0, -1), "in time"]);
        next = await router.receive();
      }
    };
    answer().catch(() => {}); // when the router is closed
    assert.equal(await client.status(), 0);
    assert.deepEqual(
      client.stdout.all,
      REPLIES.map(() => "MSG: in time"),
    );
  });
});
