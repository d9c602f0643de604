// docs/troubleshooting.md: sending.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  Dealer,
  type MessageLike,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  Router,
  Subscriber,
  XPublisher,
} from "zeromq";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { bind, connect, event, comesFirst, open, timedOut } from "../support.ts";

test("a message arrives twice, or half of another", async () => {
  /** The numbers that arrive when one Buffer is filled with each in turn. */
  const send = async (size: number, wise = false) => {
    const endpoint = await tcpEndpoint();
    const push = connect(new Push(), endpoint); // nobody is there: all are queued
    const frame = Buffer.alloc(size);
    for (let n = 1; n <= 3; n++) {
      frame.fill(n);
      await push.send(wise ? Buffer.from(frame) : frame);
    }
    const pull = open(new Pull());
    await pull.bind(endpoint);
    const numbers: number[] = [];
    for (let n = 1; n <= 3; n++) numbers.push((await pull.receive())[0][0]);
    return numbers;
  };
  assert.deepEqual(await send(128), [1, 2, 3]);
  assert.deepEqual(await send(129), [3, 3, 3]);
  assert.deepEqual(await send(129, true), [1, 2, 3]);
});

/** Answers all requests, until the socket is closed. */
async function echo(socket: Reply) {
  for await (const frames of socket) await socket.send(frames);
}

test("`Socket is busy writing`, `Socket is busy reading` (EBUSY)", async () => {
  const server = new Reply();
  const endpoint = await bind(server);
  echo(server);
  /** A client's function that asks, and returns the reply. */
  const makeAsk = () => {
    const socket = connect(new Request(), endpoint);
    return async (request: string) => {
      await socket.send(request);
      return String(await socket.receive());
    };
  };
  const requests = ["one", "two", "three"];
  await assert.rejects(Promise.all(requests.map(makeAsk())), {
    code: "EBUSY",
    message: /^Socket is busy writing; only one send operation may be in /,
  });
  const pull = open(new Pull());
  pull.receive().catch(() => {}); // it is closed when the test ends
  assert.throws(() => pull.receive(), {
    code: "EBUSY",
    message: /^Socket is busy reading; only one receive operation may be in /,
  });

  const ask = makeAsk();
  let last: Promise<unknown> = Promise.resolve();
  const askInTurn = (request: string) => {
    const reply = last.then(() => ask(request));
    last = reply.catch(() => {});
    return reply;
  };
  assert.deepEqual(await Promise.all(requests.map(askInTurn)), requests);
});

test("`Socket is busy writing` in a loop, after some hundred messages", async () => {
  const publisher = new Publisher();
  await bind(publisher);
  const sent: Promise<void>[] = [];
  assert.throws(
    () => {
      for (let n = 0; n < 2000; n++) sent.push(publisher.send("news"));
    },
    { code: "EBUSY" },
  );
  assert.ok(sent.length > 100);
  await Promise.all(sent);
  for (let n = 0; n < 2000; n++) await publisher.send("news");
});

test("`.catch()` does not see the error of a `send()`", async () => {
  const socket = open(new Push());
  const bound = socket.bind(await tcpEndpoint());
  const naive = () => socket.send("too early").catch(() => "caught");
  const wise = async () => await socket.send("too early");
  assert.throws(naive, { code: "EBUSY" });
  assert.equal(await wise().catch(() => "caught"), "caught");
  await bound;
  socket.close();
  assert.throws(naive, { code: "EBADF" });
  assert.equal(await wise().catch(() => "caught"), "caught");
});

test("`Socket is blocked by a bind or unbind operation`", async () => {
  const publisher = open(new Publisher());
  const bound = publisher.bind(await tcpEndpoint());
  assert.throws(() => publisher.send("too early"), {
    code: "EBUSY",
    message: "Socket is blocked by a bind or unbind operation",
  });
  await bound;
  await publisher.send("in time");
});

test("`send()` does not return", async () => {
  const endpoint = await tcpEndpoint();
  const push = open(new Push());
  await push.bind(endpoint);
  const sent = push.send("a job");
  assert.equal(await comesFirst(sent, pass("hello")), false);
  const pull = connect(new Pull(), endpoint);
  await sent;
  assert.equal(String(await pull.receive()), "a job");

  const limited = open(new Push({ sendTimeout: 0 }));
  await limited.bind(await tcpEndpoint());
  await assert.rejects(limited.send("a job"), timedOut);
});

test("`send()` is done, though nobody is connected, or nothing was delivered", async () => {
  const endpoint = await tcpEndpoint();
  const naive = connect(new Push({ sendTimeout: 0, linger: 0 }), endpoint);
  await naive.send("a job");
  const options = { sendTimeout: 0, immediate: true };
  const wise = connect(new Push(options), endpoint);
  await assert.rejects(wise.send("a job"), timedOut);
});

test("memory grows while a program sends", async () => {
  /** How many messages wait in a queue that nobody empties. */
  const fill = async (options: object) => {
    const push = open(new Push({ sendTimeout: 0, linger: 0, ...options }));
    push.connect(await tcpEndpoint());
    for (let n = 0; n < 5000; n++) {
      const sent = await push.send("a job").then(
        () => true,
        () => false,
      );
      if (!sent) return n;
    }
    return Infinity;
  };
  assert.equal(await fill({ sendHighWaterMark: 0 }), Infinity);
  assert.equal(await fill({}), 1000);
  assert.equal(await fill({ sendHighWaterMark: 10 }), 10);
});

test("a job is missing, after `Operation was not possible or timed out` (EAGAIN)", async () => {
  const push = open(new Push({ sendTimeout: 0 }));
  const endpoint = await tcpEndpoint();
  await push.bind(endpoint);
  await assert.rejects(push.send("naive"), timedOut);
  await assert.rejects(push.send("wise"), timedOut);
  const joined = event(push, "handshake");
  const pull = connect(new Pull(), endpoint);
  await joined;
  while (
    !(await push.send("wise").then(
      () => true,
      () => false,
    ))
  );
  assert.equal(String(await pull.receive()), "wise");
});

test("jobs vanish; one worker idles while jobs wait for another (no back pressure)", async () => {
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
});

test("the first messages are missing", async () => {
  const endpoint = await tcpEndpoint();
  // It connects again after a second: surely too late.
  const early = open(new Subscriber({ reconnectInterval: 1000 }));
  early.subscribe("news");
  const failed = event(early, "connect:retry");
  early.connect(endpoint);
  await failed;

  const publisher = open(new XPublisher({ verbosity: "allSubs" }));
  await publisher.bind(endpoint);
  await publisher.send("news: missing");
  const [subscription] = await publisher.receive();
  assert.equal(String(subscription), "\x01news");
  await publisher.send("news: first");
  assert.equal(String(await early.receive()), "news: first");

  const second = connect(new Subscriber(), endpoint);
  second.subscribe("news");
  await publisher.receive();
  await publisher.send("news: second");
  assert.equal(String(await second.receive()), "news: second");
  for (const subscriber of [early, second]) subscriber.close();
  const [left] = await publisher.receive();
  assert.equal(String(left), "\x00news");
});

test("a subscriber has gaps", async () => {
  const count = 4000;
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
  await assert.rejects(fill(), timedOut);
  const receiving = receive(waited);
  while (n < count) {
    const sent = careful.send([String(n), frame]);
    await sent.then(
      () => n++,
      () => setTimeout(10),
    );
  }
  await receiving;
});

test("a Router's message is gone, without an error", async () => {
  const naive = new Router();
  await bind(naive);
  await naive.send(["nobody", "hello"]);
  const wise = new Router({ mandatory: true, sendTimeout: 0 });
  const dealer = connect(new Dealer({ routingId: "somebody" }), await bind(wise));
  await assert.rejects(wise.send(["nobody", "hello"]), {
    code: "EHOSTUNREACH",
    message: "Host unreachable",
  });
  await dealer.send("I am here");
  await wise.receive();
  await wise.send(["somebody", "hello"]);
  assert.equal(String(await dealer.receive()), "hello");
});

/** What arrives of a message, which may be one that TypeScript refuses. */
async function pass(message: unknown): Promise<string[]> {
  const push = new Push();
  const pull = connect(new Pull(), await bind(push));
  await push.send(message as MessageLike);
  const frames = await pull.receive();
  push.close();
  pull.close();
  return frames.map(String);
}

test("`[object Object]`, `[object Promise]` or `undefined` arrives", async () => {
  const news = { text: "hello" };
  assert.deepEqual(await pass(news), ["[object Object]"]);
  assert.deepEqual(await pass(Promise.resolve("news")), ["[object Promise]"]);
  assert.deepEqual(await pass(["news", undefined]), ["news", "undefined"]);
  const [frame] = await pass(JSON.stringify(news));
  assert.deepEqual(JSON.parse(frame), news);
});

test('`{"type":"Buffer","data":[…]}` arrives', async () => {
  const received = Buffer.from("hello");
  const [naive] = await pass(JSON.stringify({ text: received }));
  assert.match(naive, /\{"type":"Buffer","data":\[104,/);
  const [wise] = await pass(JSON.stringify({ text: String(received) }));
  assert.equal(wise, '{"text":"hello"}');
});

test("`Message must be present`", async () => {
  const push = open(new Push());
  const nothing = undefined as unknown as MessageLike;
  assert.throws(() => push.send(nothing), { message: "Message must be present" });
  assert.deepEqual(await pass(""), [""]);
});

test("can one send only strings?", async () => {
  assert.deepEqual(await pass("text"), ["text"]);
  assert.deepEqual(await pass(42), ["42"]);
  assert.deepEqual(await pass(null), [""]);
  for (const bytes of [Buffer.from("hi"), new Uint8Array([104, 105])]) {
    assert.deepEqual(await pass(bytes), ["hi"]);
  }
  assert.deepEqual(await pass(["topic", Buffer.from("hi")]), ["topic", "hi"]);
});

test("`send([])` is done, and nothing arrives", async () => {
  const push = new Push();
  const pull = connect(new Pull(), await bind(push));
  await push.send([]);
  await push.send("");
  await push.send("next");
  assert.deepEqual(await pull.receive(), [Buffer.alloc(0)]);
  assert.equal(String(await pull.receive()), "next");
});
