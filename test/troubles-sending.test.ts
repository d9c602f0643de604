// The README's troubles with sending.
import assert from "node:assert/strict";
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
import { start } from "../tools/script.ts";
import { copy, tcp } from "../tools/temporary.ts";
import { bind, connect, event, open, recipe, test } from "../tools/test.ts";

/** A client's function that asks, and returns the reply. */
function client(endpoint: string) {
  const socket = connect(new Request(), endpoint);
  return async (request: string) => {
    await socket.send(request);
    return String(await socket.receive());
  };
}

test("jobs vanish; one worker idles while another has a backlog", async () => {
  const push = new Push();
  const endpoint = await bind(push);
  const busy = open(new Pull());
  const idle = open(new Pull());
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

  const [server, worker] = recipe("Jobs that must not be lost").map(copy);
  const desk = await tcp();
  const { stdout } = start(server, desk);
  // Somebody takes a job and is never heard of again; a worker is killed.
  const taker = connect(new Request(), desk);
  await taker.send("");
  assert.equal(String(await taker.receive()), "job 1");
  taker.close();
  const mortal = start(worker, desk);
  const heir = start(worker, desk);
  await mortal.stdout.next(/^job/, 3);
  mortal.child.kill("SIGKILL");
  await stdout.next(/: done$/, 50);
  const jobs = Array.from({ length: 50 }, (_, n) => `job ${n + 1}: done`);
  assert.deepEqual(new Set(stdout.all), new Set(jobs));
  assert.deepEqual([...heir.stderr.all, ...mortal.stderr.all], []);
});

test("`Socket is busy writing`, `Socket is busy reading` (EBUSY)", async () => {
  const server = new Reply();
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
  const join = async (publisher: XPublisher, options?: object) => {
    const endpoint = await bind(publisher);
    const subscriber = connect(new Subscriber(options), endpoint);
    subscriber.subscribe();
    await publisher.receive();
    return subscriber;
  };
  const receive = async (subscriber: Subscriber) => {
    for (let n = 0; n < count; n++) {
      const [number] = await subscriber.receive();
      assert.equal(Number(number), n);
    }
  };
  const publisher = new XPublisher();
  const slow = await join(publisher, { receiveTimeout: 1000 });
  for (let n = 0; n < count; n++) await publisher.send([String(n), frame]);
  await assert.rejects(receive(slow));

  const unlimited = new XPublisher({ sendHighWaterMark: 0 });
  const behind = await join(unlimited);
  for (let n = 0; n < count; n++) await unlimited.send([String(n), frame]);
  await receive(behind);

  const careful = new XPublisher({ noDrop: true });
  const waited = await join(careful);
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

test("the first messages are missing", async () => {
  const endpoint = await tcp();
  // It connects again after a second: surely too late.
  const early = open(new Subscriber({ reconnectInterval: 1000 }));
  early.subscribe("news");
  const failed = event(early, "connect:retry");
  early.connect(endpoint);
  await failed;

  const publisher = open(new XPublisher({ verbosity: "allSubs" }));
  await publisher.bind(endpoint);
  await publisher.send("news: missing");
  await publisher.receive();
  await publisher.send("news: first");
  assert.equal(String(await early.receive()), "news: first");

  const second = connect(new Subscriber(), endpoint);
  second.subscribe("news");
  await publisher.receive();
  await publisher.send("news: second");
  assert.equal(String(await second.receive()), "news: second");
});
