import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Reply } from "zeromq";
import { bind, tcp } from "../tools/endpoints.ts";
import { end, patience, serve, start } from "../tools/script.ts";
import { open } from "../tools/sockets.ts";

const CLIENT = "eventloop/client.ts";
const REQUESTS = [1, 2, 3, 4, 5].map((n) => `{"n":${n},"text":"hello"}`);
const REPLIES = REQUESTS.map((request) => `MSG: ${request}`);

afterEach(end);

test("a client waits ten seconds for a reply, and for a server as long as it takes", async () => {
  const endpoint = await tcp();
  const early = start(CLIENT, endpoint);
  const hint = `No server at ${endpoint}: waiting for one.`;
  await early.stderr.next(hint);

  const slow = open(new Reply({ receiveTimeout: patience }));
  const client = start(CLIENT, await bind(slow));
  for (const request of REQUESTS.slice(0, 4)) {
    assert.equal(String(await slow.receive()), request);
    if (request === REQUESTS[0]) await setTimeout(4000);
    await slow.send(request);
  }
  assert.equal(String(await slow.receive()), REQUESTS[4]);
  const begin = performance.now();
  assert.equal(await client.status(), 1);
  // Ten seconds; on a busy machine, its clock may be ahead.
  assert.ok(performance.now() - begin > 7000);
  assert.deepEqual(client.stdout.all, REPLIES.slice(0, 4));
  await client.stderr.next(/Error: Operation was not possible or timed out/);

  await serve("eventloop/server.ts", endpoint);
  assert.equal(await early.status(), 0);
  assert.deepEqual(early.stdout.all, REPLIES);
  assert.deepEqual(early.stderr.all, [hint], "said once");
});
