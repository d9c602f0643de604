// docs/troubleshooting.md: sending.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import {
  Dealer,
  Proxy,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  Router,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "zeromq";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { bind, close, connect, event, open, subscribe } from "../support.ts";
import { comesFirst, timedOut } from "./support.ts";

/** Whether a promise is fulfilled. */
const succeeds = (promise: Promise<unknown>) =>
  promise.then(
    () => true,
    () => false,
  );

/** What arrives of a message, which may be one that TypeScript refuses. */
async function pass(message: unknown): Promise<string[]> {
  const push = new Push();
  const pull = connect(new Pull(), await bind(push));
  await Reflect.apply(push.send, push, [message]);
  const frames = await pull.receive();
  push.close();
  pull.close();
  return frames.map(String);
}

/** How many messages wait for a socket: it is sent an end, until that arrives. */
async function countUntil(
  socket: AsyncIterable<Buffer[]>,
  end: string,
  sendEnd: (n: number) => unknown,
) {
  let count = 0;
  const ended = (async () => {
    for await (const [message] of socket) {
      if (message.includes(end)) return;
      if (!message.includes("end")) count++;
    }
  })();
  for (let n = 0; !(await comesFirst(ended, setTimeout(5))); n++) await sendEnd(n);
  return count;
}

test("messages come twice, or mixed together; or one has 8,192 bytes (Node 24: 65,536; Node 26: 65,600)", async () => {
  /** The numbers that arrive when one Buffer is filled with each in turn. */
  const send = async (size: number, wise = false) => {
    const endpoint = await tcpEndpoint();
    const options = { reconnectInterval: 10 };
    const push = connect(new Push(options), endpoint); // nobody is there: all are queued
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

  const small = Buffer.from("hello");
  const [pool] = await pass(small.buffer);
  assert.ok(pool.length > 1000, `${pool.length}`);
  assert.deepEqual(await pass(small), ["hello"]);
});

/** Answers all requests, until the socket is closed. */
async function echo(socket: Reply) {
  for await (const frames of socket) await socket.send(frames);
}

test("`Socket is busy` (EBUSY): Two callers share a socket", async () => {
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

  const ask = makeAsk();
  let last: Promise<unknown> = Promise.resolve();
  const askInTurn = (request: string) => {
    const reply = last.then(() => ask(request));
    last = reply.catch(() => {});
    return reply;
  };
  assert.deepEqual(await Promise.all(requests.map(askInTurn)), requests);
});

test("`Socket is busy` (EBUSY): A loop does not `await` its `send()`", async () => {
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

test("`Socket is busy` (EBUSY): `bind()` is not done", async () => {
  const publisher = open(new Publisher());
  const bound = publisher.bind(await tcpEndpoint());
  assert.throws(() => publisher.send("too early"), {
    code: "EBUSY",
    message: "Socket is blocked by a bind or unbind operation",
  });
  await bound;
  await publisher.send("in time");
});

test("`Socket is busy` (EBUSY): A `receive()` that lost a `Promise.race` still waits", async () => {
  const push = new Push();
  const pull = connect(new Pull(), await bind(push));
  const abandoned = pull.receive();
  assert.equal(await Promise.race([abandoned, setImmediate("late")]), "late");
  assert.throws(() => pull.receive(), {
    code: "EBUSY",
    message: /^Socket is busy reading; only one receive operation may be in /,
  });
  await push.send("one");
  await push.send("two");
  await abandoned;
  assert.equal(String(await pull.receive()), "two", "one is missing");

  pull.receiveTimeout = 1;
  await assert.rejects(pull.receive(), timedOut);
  await push.send("three");
  pull.receiveTimeout = -1;
  assert.equal(String(await pull.receive()), "three");
});

test("`Socket is busy` (EBUSY): The socket is part of a running Proxy", async () => {
  const proxy = new Proxy(new Router(), new Dealer());
  await bind(proxy.frontEnd);
  await bind(proxy.backEnd);
  const running = proxy.run();
  assert.throws(() => proxy.frontEnd.send("hello"), {
    code: "EBUSY",
    message: "Socket is blocked by a bind or unbind operation",
  });
  proxy.terminate();
  await running;
});

test("`send()` does not return; or it is done, and nothing was delivered", async () => {
  const endpoint = await tcpEndpoint();
  const push = open(new Push());
  await push.bind(endpoint);
  const sent = push.send("a job");
  assert.equal(await comesFirst(sent, pass("hello")), false);
  const pull = connect(new Pull(), endpoint);
  await sent;
  assert.equal(String(await pull.receive()), "a job");
  const limited = new Push({ sendTimeout: 0 });
  await bind(limited);
  await assert.rejects(limited.send("a job"), timedOut);

  const nobody = await tcpEndpoint();
  const naive = connect(new Push({ sendTimeout: 0, linger: 0 }), nobody);
  await naive.send("a job");
  const wise = connect(new Push({ sendTimeout: 0, immediate: true }), nobody);
  await assert.rejects(wise.send("a job"), timedOut);
  for (const publisher of [new Publisher(), new Publisher({ immediate: true })]) {
    connect(publisher, nobody);
    for (let n = 0; n < 2000; n++) await publisher.send("news");
  }
});

test("memory grows (a leak?)", async () => {
  /** How many messages wait in a queue that nobody empties. */
  const fill = async (options: object) => {
    const push = open(new Push({ sendTimeout: 0, linger: 0, ...options }));
    push.connect(await tcpEndpoint());
    for (let n = 0; n < 5000; n++) if (!(await succeeds(push.send("a job")))) return n;
    return Infinity;
  };
  assert.equal(await fill({ sendHighWaterMark: 0 }), Infinity);
  assert.equal(await fill({}), 1000);
  assert.equal(await fill({ sendHighWaterMark: 10 }), 10);

  /** How many jobs are under way at a time, at most. */
  const work = async (isWise: boolean) => {
    const push = new Push();
    const pull = connect(new Pull(), await bind(push));
    const count = 20;
    for (let n = 0; n < count; n++) await push.send("a job");
    let [underWay, most, received] = [0, 0, 0];
    const begin = async () => {
      most = Math.max(most, ++underWay);
      await setTimeout(5);
      underWay--;
    };
    for await (const _ of pull) {
      const done = begin();
      if (isWise) await done;
      if (++received === count) break;
    }
    return most;
  };
  assert.ok((await work(false)) > 1);
  assert.equal(await work(true), 1);
});

test("the first messages are missing; or all, where the Subscriber binds", async () => {
  const publisher = new XPublisher({ verbosity: "allSubs" });
  const endpoint = await bind(publisher);
  await publisher.send("news: missing"); // no subscription has arrived yet
  const early = connect(new Subscriber(), endpoint);
  early.subscribe("news");
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

  /** Whether a Subscriber that binds is heard of, before and after it begins to receive. */
  const bindSubscriber = async () => {
    const subscriber = new Subscriber({ receiveTimeout: -1 });
    const to = await bind(subscriber);
    subscriber.subscribe("news");
    const met = event(subscriber, "handshake");
    const heard = connect(new XPublisher(), to).receive();
    await met;
    return { subscriber, heard };
  };
  const naive = await bindSubscriber();
  const wise = await bindSubscriber();
  wise.subscriber.receive().catch(() => {}); // it is closed when the test ends
  assert.equal(await comesFirst(naive.heard, wise.heard), false);
});

test("a subscriber has gaps (a slow consumer)", async () => {
  const count = 2500;
  const frame = Buffer.alloc(10_000); // TCP's buffers hold some hundred.
  /** Publishes while nobody reads: what is sent, and how many of these arrive. */
  const publish = async (options: object) => {
    const publisher = new XPublisher({ verbosity: "allSubs", ...options });
    const endpoint = await bind(publisher);
    const slow = await subscribe(publisher, endpoint, "", { receiveHighWaterMark: 1 });
    let sent = 0;
    for (let n = 0; n < count; n++) if (await succeeds(publisher.send(frame))) sent++;
    const arrived = await countUntil(slow, "end", () => succeeds(publisher.send("end")));
    return { sent, arrived };
  };
  const naive = await publish({});
  assert.equal(naive.sent, count);
  assert.ok(naive.arrived >= 1000 && naive.arrived < count, `${naive.arrived}`);
  assert.deepEqual(await publish({ sendHighWaterMark: 0 }), { sent: count, arrived: count });

  // The price of noDrop: one that does not read stops all.
  const publisher = new XPublisher({ verbosity: "allSubs", noDrop: true });
  const endpoint = await bind(publisher);
  await subscribe(publisher, endpoint, "", { receiveHighWaterMark: 1 });
  const fast = await subscribe(publisher, endpoint);
  let sent = 0;
  while (await succeeds(publisher.send(`${sent}`.padEnd(10_000)))) {
    assert.equal(Number(await fast.receive()), sent++);
  }
  for (let n = 0; n < 10; n++) await assert.rejects(publisher.send("more"), timedOut);
});

test("a subscriber lacks some of its topics", async () => {
  const count = 2500;
  /** How many topics arrive, which a socket subscribes to at once, then again after a restart. */
  const countTopics = async (socket: Subscriber | XSubscriber) => {
    const endpoint = await tcpEndpoint();
    connect(socket, endpoint);
    const join = (topic: string) =>
      socket instanceof Subscriber ? socket.subscribe(topic) : socket.send(`\x01${topic}`);
    for (let n = 0; n < count; n++) await join(`${n}/`);
    socket.receive().catch(() => {}); // in use; it is closed when the test ends
    const counts: number[] = [];
    for (let n = 0; n < 2; n++) {
      const publisher = open(new XPublisher());
      await publisher.bind(endpoint);
      const arrived = countUntil(publisher, `end ${n}`, (i) => join(`end ${n} ${i}`));
      counts.push(await arrived);
      await close(publisher);
    }
    return counts;
  };
  for (const arrived of await countTopics(new Subscriber())) assert.ok(arrived < count);
  const wise = await countTopics(new XSubscriber({ sendHighWaterMark: 0 }));
  assert.deepEqual(wise, [count, count]);
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

  // An id that ZeroMQ makes up is random bytes, most of them not UTF-8.
  let other: Dealer;
  let id: Buffer;
  do {
    other = connect(new Dealer(), wise.lastEndpoint ?? "");
    await other.send("I am here");
    [id] = await wise.receive();
  } while (Buffer.from(String(id)).equals(id));
  await assert.rejects(wise.send([String(id), "hello"]), { code: "EHOSTUNREACH" });
  await wise.send([Buffer.from(id.toString("hex"), "hex"), "hello"]);
  assert.equal(String(await other.receive()), "hello");

  // A peer that does not read: its queue gets full, and what TCP holds.
  for (const mandatory of [false, true]) {
    const router = new Router({ mandatory, sendTimeout: 0 });
    const slow = connect(new Dealer({ receiveHighWaterMark: 1 }), await bind(router));
    await slow.send("I am slow");
    const [to] = await router.receive();
    let sent = 0;
    const count = 2500;
    for (let n = 0; n < count; n++) {
      if (await succeeds(router.send([to, Buffer.alloc(10_000)]))) sent++;
    }
    const sendEnd = () => succeeds(router.send([to, "end"]));
    assert.equal(sent === count, !mandatory);
    assert.equal((await countUntil(slow, "end", sendEnd)) === sent, mandatory);
  }
});

test("can one send only strings? `[object Object]`, `[object Promise]` or `undefined` arrives; `Message must be present`", async () => {
  assert.deepEqual(await pass("text"), ["text"]);
  assert.deepEqual(await pass(null), [""]);
  for (const bytes of [Buffer.from("hi"), new Uint8Array([104, 105]), new Uint16Array([26984])]) {
    assert.deepEqual(await pass(bytes), ["hi"]);
  }
  assert.deepEqual(await pass(["topic", Buffer.from("hi")]), ["topic", "hi"]);

  const news = { text: "hello" };
  assert.deepEqual(await pass(42), ["42"]);
  assert.deepEqual(await pass(news), ["[object Object]"]);
  assert.deepEqual(await pass(Promise.resolve("news")), ["[object Promise]"]);
  assert.deepEqual(await pass(["news", undefined]), ["news", "undefined"]);
  const [frame] = await pass(JSON.stringify(news));
  assert.deepEqual(JSON.parse(frame), news);

  await assert.rejects(pass(undefined), { message: "Message must be present" });
  assert.deepEqual(await pass(""), [""]);
  const push = new Push();
  const pull = connect(new Pull(), await bind(push));
  await push.send([]);
  await push.send("next");
  assert.equal(String(await pull.receive()), "next");
});

test('`{"type":"Buffer","data":[…]}` or `{}` arrives; `Do not know how to serialize a BigInt`', async () => {
  const received = Buffer.from([0xff, 0x00]);
  const [naive] = await pass(JSON.stringify({ received, map: new Map([["a", 1]]) }));
  assert.equal(naive, '{"received":{"type":"Buffer","data":[255,0]},"map":{}}');
  assert.throws(() => JSON.stringify({ n: 1n }), {
    message: "Do not know how to serialize a BigInt",
  });
  const [wise] = await pass(JSON.stringify(received.toString("base64")));
  assert.deepEqual(Buffer.from(JSON.parse(wise), "base64"), received);
  assert.equal(JSON.stringify([...new Map([["a", 1]])]), '[["a",1]]');
});

test("`Expected 1 argument but received 2`; in JavaScript, a Push's `receive()` waits forever", async () => {
  const why = { message: "Expected 1 argument but received 2" };
  const push = open(new Push());
  const { send, bind } = push;
  assert.throws(() => Reflect.apply(send, push, ["topic", "message"]), why);
  assert.throws(() => Reflect.apply(bind, push, ["127.0.0.1", 5566]), why);
  const naive: Promise<unknown> = Reflect.apply(Reflect.get(push, "receive"), push, []);
  naive.catch(() => {}); // it is closed when the test ends
  const [topic, message] = await pass(["topic", "message"]);
  assert.deepEqual([topic, message], ["topic", "message"]);
  assert.equal(await comesFirst(naive, pass("hello")), false);
});
