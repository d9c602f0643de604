// docs/troubleshooting.md: receiving, and asking and answering.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import {
  context,
  Dealer,
  Proxy,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  Router,
  type Socket,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "zeromq";
import { TIMEOUT } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import {
  bind,
  close,
  comesFirst,
  connect,
  event,
  layCable,
  open,
  program,
  subscribe,
  timedOut,
} from "../support.ts";

const wrongState = {
  code: "EFSM",
  message: "Operation cannot be accomplished in current state",
};

/** A Push and a Pull, connected. */
async function pair(options?: object) {
  const push = new Push();
  const endpoint = await bind(push);
  return { endpoint, push, pull: connect(new Pull(options), endpoint) };
}

/** A publisher, and subscribers whose subscriptions have arrived. */
async function publishTo(...topics: string[]) {
  const publisher = new XPublisher({ verbosity: "allSubs" });
  const endpoint = await bind(publisher);
  const subscribers: Subscriber[] = [];
  for (const topic of topics) {
    subscribers.push(await subscribe(publisher, endpoint, topic));
  }
  return { endpoint, publisher, subscribers };
}

test("a subscriber prints nothing", async () => {
  const { endpoint, publisher, subscribers } = await publishTo("");
  const deaf = open(new Subscriber());
  const joined = event(deaf, "handshake");
  deaf.connect(endpoint);
  await joined;
  const received = deaf.receive();
  await publisher.send("one");
  assert.equal(await comesFirst(received, subscribers[0].receive()), false);

  deaf.subscribe();
  await publisher.receive();
  await publisher.send("two");
  assert.equal(String(await received), "two");
});

test("only the topic arrives", async () => {
  const { publisher, subscribers } = await publishTo("cam1/", "cam1/");
  await publisher.send(["cam1/", "a picture"]);
  const [message] = await subscribers[0].receive();
  assert.equal(String(message), "cam1/");
  const [topic, picture] = await subscribers[1].receive();
  assert.deepEqual([topic, picture].map(String), ["cam1/", "a picture"]);
});

test("the message is in `topic`, and `message` is `undefined`", async () => {
  const { publisher, subscribers } = await publishTo("cam1");
  const receive = async () => {
    const [topic, message] = await subscribers[0].receive();
    return `${topic}: ${message}`;
  };
  await publisher.send("cam1 a picture");
  assert.equal(await receive(), "cam1 a picture: undefined");
  await publisher.send(["cam1", "a picture"]);
  assert.equal(await receive(), "cam1: a picture");
});

test("`cam1` also gets `cam10`", async () => {
  const { publisher, subscribers } = await publishTo("cam1", "cam1/");
  const [naive, wise] = subscribers;
  await publisher.send("cam10/");
  await publisher.send("cam1/");
  assert.equal(String(await naive.receive()), "cam10/");
  assert.equal(String(await wise.receive()), "cam1/");
});

test("`<Buffer 68 65 6c 6c 6f>` in place of a text", async () => {
  const receive = (print: string) =>
    program(`
    const [push, pull] = [new Push(), new Pull()];
    await push.bind("inproc://here");
    pull.connect("inproc://here");
    await push.send("hello");
    const [message] = await pull.receive();
    console.log(${print});`);
  await receive("message").stdout.next("<Buffer 68 65 6c 6c 6f>");
  await receive("String(message)").stdout.next("hello");
});

test("a message is missing, after `Promise.race`", async () => {
  const { push, pull } = await pair();
  const abandoned = pull.receive();
  assert.equal(await Promise.race([abandoned, setImmediate("late")]), "late");
  assert.throws(() => pull.receive(), { code: "EBUSY" });
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

test("memory grows while a worker receives", async () => {
  /** How many jobs are under way at a time, at most. */
  const work = async (isWise: boolean) => {
    const { push, pull } = await pair();
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

test("`Cannot create a string longer than 0x1fffffe8 characters`, or memory jumps", async () => {
  const frame = Buffer.alloc(2 ** 29);
  const expected = /^Error: Cannot create a string longer than 0x1fffffe8/;
  assert.throws(() => String(frame), expected);

  const naive = await pair();
  await naive.push.send(frame.subarray(0, 1_000_001));
  assert.equal((await naive.pull.receive())[0].length, 1_000_001);
  const wise = open(new Pull({ maxMessageSize: 1_000_000 }));
  const refused = event(wise, "disconnect");
  const push = connect(new Push(), await bind(wise));
  await push.send(frame.subarray(0, 1_000_001));
  await refused;
});

test("nothing arrives and no timer runs, while a program is busy", async () => {
  const { push, pull } = await pair();
  let isStopped = false;
  pull.receive().then(() => (isStopped = true));
  await push.send("stop");
  const end = Date.now() + 50;
  while (Date.now() < end) await null; // which gives the event loop no time
  assert.equal(isStopped, false);
  const late = Date.now() + TIMEOUT;
  while (!isStopped && Date.now() < late) await setImmediate();
  assert.ok(isStopped);
});

test("how do I receive from several sockets?", async () => {
  const [one, two] = [await pair(), await pair()];
  const received: string[] = [];
  const listen = async (socket: Pull) => {
    for await (const [message] of socket) received.push(String(message));
  };
  const loops = [listen(one.pull), listen(two.pull)]; // without await
  for (const { push } of [two, one]) {
    await push.send("a job");
    while (!received.pop()) await setTimeout(1);
  }
  for (const { pull } of [one, two]) pull.close();
  await Promise.all(loops);
});

test("a subscriber or a worker falls silent, and no event tells", async () => {
  const publisher = new XPublisher({ verbosity: "allSubs" });
  const cable = await layCable(await bind(publisher));
  const naive = await subscribe(publisher, cable.endpoint);
  const wise = await subscribe(publisher, cable.endpoint, "", { heartbeatInterval: 100 });
  const noticed = [event(wise, "disconnect"), event(wise, "handshake")];
  const silent = event(naive, "disconnect");
  cable.cut();
  assert.equal(await comesFirst(silent, Promise.all(noticed)), false);
  const received = wise.receive();
  while (!(await comesFirst(received, setTimeout(10)))) await publisher.send("hello");
});

test("a forwarder between publishers and subscribers passes nothing", async () => {
  const forward = async (front: Socket, back: Socket, receiveTimeout = -1) => {
    const options = { receiveTimeout };
    const publisher = connect(new XPublisher(options), await bind(front));
    const subscriber = connect(new Subscriber(options), await bind(back));
    subscriber.subscribe();
    const proxy = new Proxy(front, back);
    const running = proxy.run();
    try {
      await publisher.receive(); // the subscription
      await publisher.send("news");
      return String(await subscriber.receive());
    } finally {
      proxy.terminate();
      await running;
    }
  };
  await assert.rejects(forward(new Subscriber(), new Publisher(), 200), timedOut);
  await assert.rejects(forward(new Router(), new Dealer(), 200), timedOut);
  const wise = forward(new XSubscriber(), new XPublisher());
  assert.equal(await wise, "news");
});

/** Answers all requests, after the given ones have been left unanswered. */
async function echo(socket: Router, ...lost: string[]) {
  for await (const frames of socket) {
    if (!lost.includes(String(frames.at(-1)))) await socket.send(frames);
  }
}

test("a Request's `send()` waits for ever", async () => {
  const router = new Router();
  const endpoint = await bind(router);
  echo(router, "lost");
  const request = connect(new Request({ receiveTimeout: 50 }), endpoint);
  await request.send("lost");
  await assert.rejects(request.receive(), timedOut);
  const second = request.send("naive");

  const fresh = connect(new Request(), endpoint);
  await fresh.send("wise");
  assert.equal(await comesFirst(second, fresh.receive()), false);

  const options = { receiveTimeout: 50, relaxed: true, correlate: true };
  const relaxed = connect(new Request(options), endpoint);
  await relaxed.send("lost");
  await assert.rejects(relaxed.receive(), timedOut);
  relaxed.receiveTimeout = -1;
  await relaxed.send("wise");
  assert.equal(String(await relaxed.receive()), "wise");
});

test("`Operation cannot be accomplished in current state` (EFSM), or a Request or Reply waits for ever", async () => {
  const reply = new Reply({ sendTimeout: 0 });
  const endpoint = await bind(reply);
  await assert.rejects(reply.send("nobody has asked"), wrongState);
  const request = connect(new Request({ sendTimeout: 0 }), endpoint);
  await request.send("one");
  await assert.rejects(request.send("two"), wrongState);

  await reply.receive();
  await reply.send("reply to one");
  assert.equal(String(await request.receive()), "reply to one");
  await request.send("two");
});

test("the reply to an earlier request arrives", async () => {
  const ask = async (options: object) => {
    const router = new Router();
    const request = connect(new Request(options), await bind(router));
    for (const text of ["one", "two"]) await request.send(text);
    return { router, request, asked: [await router.receive(), await router.receive()] };
  };
  const naive = await ask({ relaxed: true });
  await naive.router.send(naive.asked[0]);
  assert.equal(String(await naive.request.receive()), "one");

  const { router, request, asked } = await ask({ relaxed: true, correlate: true });
  const failToReceive = async (reply: Buffer[]) => {
    await router.send(reply);
    await assert.rejects(request.receive(), timedOut);
  };
  // Whoever sends again stays one reply behind.
  for (let n = 0; n < 5; n++) {
    await failToReceive(asked[n]);
    await request.send(`again ${n}`);
    asked.push(await router.receive());
  }
  await failToReceive(asked[5]);
  await router.send(asked[6]);
  assert.match(String(await request.receive()), /again 4$/);
});

test("a client waits for ever for a reply", async () => {
  const endpoint = await tcpEndpoint();
  const before = open(new Router());
  await before.bind(endpoint);
  const naive = connect(new Request(), endpoint);
  await naive.send("naive");
  const ask = async (request: string): Promise<string> => {
    const socket = connect(new Request({ receiveTimeout: 500 }), endpoint);
    await socket.send(request);
    const frames = await socket.receive().catch(() => undefined);
    socket.close();
    return frames ? String(frames) : ask(request);
  };
  const answer = ask("wise");
  for (let n = 0; n < 2; n++) await before.receive();
  await close(before);

  const back = event(naive, "handshake");
  const after = open(new Router());
  await after.bind(endpoint);
  echo(after);
  await back;
  assert.equal(await comesFirst(naive.receive(), answer), false);
  assert.equal(await answer, "wise");
});

test("a client or a worker ends with `Operation was not possible or timed out` (EAGAIN)", async () => {
  const router = new Router();
  const endpoint = await bind(router);
  echo(router, "lost");
  const naive = program(
    `
    const { Request } = await import("zeromq");
    const socket = new Request({ receiveTimeout: 50 });
    socket.connect(endpoint);
    await socket.send("lost");
    await socket.receive();`,
    endpoint,
  );
  await naive.stderr.next("[Error: Operation was not possible or timed out] {");
  assert.equal(await naive.exitStatus(), 1);

  const wise = async (request: string) => {
    const socket = connect(new Request({ receiveTimeout: 50 }), endpoint);
    await socket.send(request);
    try {
      return String(await socket.receive());
    } catch {
      socket.close();
      return "no reply";
    }
  };
  assert.equal(await wise("lost"), "no reply");
});

test("a server ends with `Operation was not possible or timed out` (EAGAIN)", async () => {
  const disturb = async (socket: Reply | Router) => {
    const dealer = connect(new Dealer(), await bind(socket));
    await dealer.send("no envelope");
    return dealer;
  };
  const frail = new Reply();
  await disturb(frail);
  const loop = async () => {
    for await (const frames of frail) await frail.send(frames);
  };
  await assert.rejects(loop(), timedOut);

  const robust = new Router();
  const dealer = await disturb(robust);
  echo(robust);
  await dealer.send(["", "a request"]);
  await dealer.receive();
  assert.equal(String(await dealer.receive()), ",a request");
});

test("a Reply server answers nobody any more", async () => {
  const reply = new Reply({ receiveTimeout: 50 });
  const endpoint = await bind(reply);
  await connect(new Request(), endpoint).send("bad");
  reply.receiveTimeout = -1;
  await reply.receive();
  reply.receiveTimeout = 50;
  const client = connect(new Request(), endpoint);
  await client.send("good");
  await assert.rejects(reply.receive(), wrongState);

  await reply.send("error: a bad request");
  reply.receiveTimeout = -1;
  assert.equal(String(await reply.receive()), "good");
  await reply.send("a reply");
  assert.equal(String(await client.receive()), "a reply");
});

/** Two clients ask a server. */
async function askTwice(server: Reply | Router) {
  const endpoint = await bind(server);
  const clients = [connect(new Request(), endpoint), connect(new Request(), endpoint)];
  for (const client of clients) await client.send("hello");
  return clients;
}

test("a Reply server answers one request at a time", async () => {
  const reply = new Reply();
  await askTwice(reply);
  await reply.receive();
  reply.receiveTimeout = 50;
  await assert.rejects(reply.receive(), wrongState);

  const router = new Router();
  const clients = await askTwice(router);
  const requests = [await router.receive(), await router.receive()];
  for (const frames of requests.reverse()) await router.send(frames);
  for (const client of clients) assert.equal(String(await client.receive()), "hello");
});

test("replies reach the wrong caller", async () => {
  const router = new Router();
  const dealer = connect(new Dealer(), await bind(router));
  const ask = async (requests: string[][]) => {
    for (const request of requests) await dealer.send(request);
    const asked = [await router.receive(), await router.receive()];
    for (const frames of asked.reverse()) await router.send(frames); // the fast one first
    return [await dealer.receive(), await dealer.receive()];
  };
  const [first] = await ask([
    ["", "one"],
    ["", "two"],
  ]);
  assert.equal(String(first), ",two");
  const replies = await ask([
    ["1", "", "one"],
    ["2", "", "two"],
  ]);
  const byId = new Map(replies.map(([id, , reply]) => [String(id), String(reply)]));
  assert.equal(byId.get("1"), "one");
});

test("a Router receives an id and an empty frame before the message", async () => {
  const router = new Router();
  const request = connect(new Request(), await bind(router));
  await request.send("a request");
  const [id, ...rest] = await router.receive();
  assert.deepEqual(rest.map(String), ["", "a request"]);
  await router.send("a reply to nobody");
  await router.send([id, "", "a reply"]);
  assert.equal(String(await request.receive()), "a reply");
});

test("a Dealer's request gets no answer", async () => {
  const reply = new Reply();
  const dealer = connect(new Dealer(), await bind(reply));
  await dealer.send("naive");
  await assert.rejects(reply.receive(), timedOut);
  await dealer.send(["", "wise"]);
  assert.equal(String(await reply.receive()), "wise");
  await reply.send("a reply");
  assert.deepEqual((await dealer.receive()).map(String), ["", "a reply"]);
});

test("`Too many open file descriptors` (EMFILE)", async () => {
  const open = (max: string) =>
    program(`
    import { context, Dealer } from "zeromq";
    ${max}
    const sockets = [];
    process.on("exit", () => console.log("sockets: " + sockets.length));
    while (sockets.length < 1100) sockets.push(new Dealer());`);
  const naive = open("");
  await naive.stderr.next(/Too many open file descriptors/);
  await naive.stdout.next(`sockets: ${context.maxSockets}`);
  assert.equal(context.maxSockets, 1023);
  await open("context.maxSockets = 2000;").stdout.next("sockets: 1100");
});

test("messages still come after `unsubscribe()`", async () => {
  const publisher = new XPublisher({ verbosity: "allSubs" });
  const subscriber = connect(new Subscriber(), await bind(publisher));
  subscriber.subscribe("cam1/", "cam1/", "cam2/");
  for (let n = 0; n < 3; n++) await publisher.receive();
  for (const expected of ["cam1/", "cam2/"]) {
    subscriber.unsubscribe("cam1/");
    for (const topic of ["cam1/", "cam2/"]) await publisher.send(topic);
    assert.equal(String(await subscriber.receive()), expected);
    if (expected === "cam1/") await subscriber.receive();
  }
});

test("I want only the latest message", async () => {
  const publisher = new XPublisher({ verbosity: "allSubs" });
  const endpoint = await bind(publisher);
  const naive = connect(new Subscriber(), endpoint);
  const wise = connect(new Subscriber({ conflate: true }), endpoint);
  for (const subscriber of [naive, wise]) {
    subscriber.subscribe();
    await publisher.receive();
  }
  for (let n = 1; n <= 100; n++) await publisher.send(`${n}`);
  for (let n = 1; n <= 100; n++) assert.equal(String(await naive.receive()), `${n}`);
  let received = 1;
  while (String(await wise.receive()) !== "100") received++;
  assert.ok(received < 100);
});

test('how do I get `on("message", …)`?', async () => {
  const { push, pull } = await pair();
  assert.ok(!("on" in pull));
  const messages = new EventEmitter();
  const onMessage = (frames: Buffer[]) => messages.emit("message", String(frames));
  const next = once(messages, "message");
  const receiveAll = async () => {
    for await (const frames of pull) onMessage(frames);
  };
  receiveAll();
  await push.send("hello");
  assert.deepEqual(await next, ["hello"]);
});

test("of two clients with the same `routingId`, one is never heard", async () => {
  const listen = async (router: Router) => {
    const endpoint = await bind(router);
    const [first, second] = [1, 2].map(() => open(new Dealer({ routingId: "same" })));
    first.connect(endpoint);
    await first.send("first");
    await router.receive();
    const met = event(second, "handshake");
    second.connect(endpoint);
    await met;
    await second.send("second");
    if (!router.handover) await first.send("first again");
    return String((await router.receive())[1]);
  };
  assert.equal(await listen(new Router()), "first again");
  assert.equal(await listen(new Router({ handover: true })), "second");
});
