// The README's troubles with sending.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  Subscriber,
  XPublisher,
} from "zeromq";
import { bind, tcp } from "../tools/endpoints.ts";
import { end, patience } from "../tools/script.ts";
import { event, open } from "../tools/sockets.ts";

afterEach(end);

const receiveTimeout = patience;

const deadline = { timeout: patience };

/** A client's function that asks, and returns the reply. */
function client(endpoint: string) {
  const socket = open(new Request({ receiveTimeout }));
  socket.connect(endpoint);
  return async (request: string) => {
    await socket.send(request);
    return String(await socket.receive());
  };
}

/** Hands out jobs to workers that ask, and again those that none reports. */
async function handOut(jobs: Set<string>, server: Reply) {
  for await (const [report] of server) {
    jobs.delete(String(report));
    const [job = "none"] = jobs;
    jobs.delete(job);
    jobs.add(job); // at the end
    await server.send(job);
  }
}

test("jobs vanish; one worker idles while another has a backlog", deadline, async () => {
  const push = open(new Push());
  const endpoint = await bind(push);
  const busy = open(new Pull());
  const idle = open(new Pull({ receiveTimeout }));
  for (const worker of [busy, idle]) {
    const joined = event(push, "handshake");
    worker.connect(endpoint);
    await joined;
  }
  for (let job = 0; job <= 10; job++) await push.send(String(job));
  const gone = event(push, "disconnect");
  busy.close();
  await gone;
  await push.send("next");
  for (const job of ["1", "3", "5", "7", "9", "next"]) {
    assert.equal(String(await idle.receive()), job);
  }

  const server = open(new Reply());
  const desk = await bind(server);
  handOut(new Set(["0", "1", "2"]), server);
  assert.equal(await client(desk)("ready"), "0"); // and that worker dies
  const ask = client(desk);
  let done = "ready";
  for (const job of ["1", "2", "0", "none"]) {
    done = await ask(done);
    assert.equal(done, job);
  }
});

test("`Socket is busy writing`, `Socket is busy reading` (EBUSY)", async () => {
  const server = open(new Reply());
  const endpoint = await bind(server);
  (async () => {
    for await (const frames of server) await server.send(frames);
  })();
  const requests = ["one", "two", "three"];
  await assert.rejects(Promise.all(requests.map(client(endpoint))), {
    code: "EBUSY",
    message: /^Socket is busy writing; only one send operation may be in /,
  });
  const pull = open(new Pull());
  pull.receive().catch(() => {});
  assert.throws(() => pull.receive(), {
    code: "EBUSY",
    message: /^Socket is busy reading; only one receive operation may be in /,
  });

  const ask = client(endpoint);
  let last: Promise<unknown> = Promise.resolve();
  const askInTurn = (request: string) => {
    const reply = last.then(() => ask(request));
    last = reply.catch(() => {});
    return reply;
  };
  assert.deepEqual(await Promise.all(requests.map(askInTurn)), requests);
});

test("`Socket is blocked by a bind or unbind operation`", async () => {
  const publisher = open(new Publisher());
  const bound = publisher.bind(await tcp());
  assert.throws(() => publisher.send("too early"), {
    code: "EBUSY",
    message: "Socket is blocked by a bind or unbind operation",
  });
  await bound;
  await publisher.send("in time");
});

test("a subscriber has gaps", async () => {
  const count = 5000;
  const frame = Buffer.alloc(10_000); // TCP's buffers hold some hundred.
  const join = async (publisher: XPublisher, subscriber: Subscriber) => {
    subscriber.connect(await bind(publisher));
    subscriber.subscribe();
    await publisher.receive();
  };
  const receive = async (subscriber: Subscriber) => {
    for (let n = 0; n < count; n++) {
      const [number] = await subscriber.receive();
      assert.equal(Number(number), n);
    }
  };
  const publisher = open(new XPublisher());
  const slow = open(new Subscriber({ receiveTimeout: 1000 }));
  await join(publisher, slow);
  for (let n = 0; n < count; n++) await publisher.send([String(n), frame]);
  await assert.rejects(receive(slow));

  const unlimited = open(new XPublisher({ sendHighWaterMark: 0 }));
  const behind = open(new Subscriber({ receiveTimeout }));
  await join(unlimited, behind);
  for (let n = 0; n < count; n++) await unlimited.send([String(n), frame]);
  await receive(behind);

  const careful = open(new XPublisher({ noDrop: true }));
  const waited = open(new Subscriber({ receiveTimeout }));
  await join(careful, waited);
  let n = 0;
  const fill = async () => {
    for (; n < count; n++) await careful.send([String(n), frame]);
  };
  await assert.rejects(fill(), { code: "EAGAIN" });
  const receiving = receive(waited);
  while (n < count) {
    const sent = careful.send([String(n), frame]);
    await sent.then(() => n++, () => setTimeout(10));
  }
  await receiving;
});

test("the first messages are missing", deadline, async () => {
  const endpoint = await tcp();
  // It connects again after a second: surely too late.
  const reconnectInterval = 1000;
  const early = open(new Subscriber({ reconnectInterval, receiveTimeout }));
  early.subscribe("news");
  const failed = event(early, "connect:retry");
  early.connect(endpoint);
  await failed;

  const verbosity = "allSubs";
  const publisher = open(new XPublisher({ verbosity, receiveTimeout }));
  await publisher.bind(endpoint);
  await publisher.send("news: missing");
  await publisher.receive();
  await publisher.send("news: first");
  assert.equal(String(await early.receive()), "news: first");

  const second = open(new Subscriber({ receiveTimeout }));
  second.subscribe("news");
  second.connect(endpoint);
  await publisher.receive();
  await publisher.send("news: second");
  assert.equal(String(await second.receive()), "news: second");
});
