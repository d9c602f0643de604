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
import { bind, close, connect, event, open, subscribe } from "../support.ts";
import { comesFirst, program, timedOut } from "./support.ts";

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
  for (const topic of topics) subscribers.push(await subscribe(publisher, endpoint, topic));
  return { endpoint, publisher, subscribers };
}

test("only the topic arrives; or the message is in `topic`, and `message` is `undefined`", async () => {
  const { publisher, subscribers } = await publishTo("cam1/", "cam1/");
  await publisher.send(["cam1/", "a picture"]);
  const [frame] = await subscribers[0].receive();
  assert.equal(String(frame), "cam1/");
  const receive = async () => {
    const [topic, message] = await subscribers[1].receive();
    return `${topic}: ${message}`;
  };
  assert.equal(await receive(), "cam1/: a picture");
  await publisher.send("cam1/ a picture");
  assert.equal(await receive(), "cam1/ a picture: undefined");
});

test("`cam1` also gets `cam10`", async () => {
  const { publisher, subscribers } = await publishTo("cam1", "cam1/");
  const [naive, wise] = subscribers;
  await publisher.send("cam10/");
  await publisher.send("cam1/");
  assert.equal(String(await naive.receive()), "cam10/");
  assert.equal(String(await wise.receive()), "cam1/");
});

test("messages still come after `unsubscribe()`", async () => {
  const publisher = new XPublisher({ verbosity: "allSubs" });
  const subscriber = connect(new Subscriber(), await bind(publisher));
  const topics = ["cam1/", "cam1/", "cam2/"];
  subscriber.subscribe(...topics);
  for (const _ of topics) await publisher.receive();
  for (const expected of ["cam1/", "cam2/"]) {
    subscriber.unsubscribe("cam1/");
    for (const topic of ["cam1/", "cam2/"]) await publisher.send(topic);
    assert.equal(String(await subscriber.receive()), expected);
    if (expected === "cam1/") await subscriber.receive();
  }
  subscriber.unsubscribe("cam2"); // another string
  await publisher.send("cam2/");
  assert.equal(String(await subscriber.receive()), "cam2/");
  subscriber.subscribe();
  subscriber.unsubscribe("cam2/");
  await publisher.receive();
  await publisher.send("cam2/");
  assert.equal(String(await subscriber.receive()), "cam2/");
});

test("I want only the latest message", async () => {
  const publisher = new XPublisher({ verbosity: "allSubs" });
  const endpoint = await bind(publisher);
  const naive = await subscribe(publisher, endpoint);
  const wise = await subscribe(publisher, endpoint, "", { conflate: true });
  for (let n = 1; n <= 100; n++) await publisher.send(`${n}`);
  for (let n = 1; n <= 100; n++) assert.equal(String(await naive.receive()), `${n}`);
  let received = 1;
  while (String(await wise.receive()) !== "100") received++;
  assert.ok(received < 100);

  // It keeps the latest one of each connection.
  const other = new XPublisher({ verbosity: "allSubs" });
  wise.connect(await bind(other));
  await other.receive(); // its subscription
  await other.send("other");
  await publisher.send("101");
  await naive.receive();
  const latest = [await wise.receive(), await wise.receive()];
  assert.deepEqual(latest.map(String).sort(), ["101", "other"]);

  // A message of two frames does not arrive, if it is subscribed to by its topic.
  const byTopic = await subscribe(publisher, endpoint, "cam1/", { conflate: true });
  const message = byTopic.receive();
  for (let n = 0; n < 100; n++) await publisher.send(["cam1/", "a picture"]);
  for (let n = 1; n < 100; n++) await naive.receive();
  assert.equal(await comesFirst(message, naive.receive()), false);
  await publisher.send("cam1/ in one frame");
  assert.equal(String(await message), "cam1/ in one frame");
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
  const [naive, wise] = ["message", "String(message)"].map(receive);
  await naive.stdout.next("<Buffer 68 65 6c 6c 6f>");
  await wise.stdout.next("hello");
});

test("`Cannot create a string longer than 0x1fffffe8 characters`, or memory jumps", async () => {
  const frame = Buffer.alloc(2 ** 29); // whose memory nobody touches
  const expected = /^Error: Cannot create a string longer than 0x1fffffe8/;
  assert.throws(() => String(frame), expected);

  const naive = await pair();
  await naive.push.send(frame.subarray(0, 1_000_001));
  assert.equal((await naive.pull.receive())[0].length, 1_000_001);
  const wise = new Pull({ maxMessageSize: 1_000_000 });
  const push = connect(new Push(), await bind(wise));
  const refused = event(wise, "disconnect");
  await push.send(frame.subarray(0, 1_000_001));
  await refused;
  const half = frame.subarray(0, 500_001);
  await push.send([half, half]);
  assert.equal((await wise.receive()).length, 2);
});

test("no timer runs, and nothing else arrives, while a program is busy", async () => {
  const { push, pull } = await pair();
  const publisher = new Publisher({ sendTimeout: 0 });
  const idle = new Pull({ receiveTimeout: 0 });
  for (const socket of [publisher, idle]) await bind(socket);
  let isStopped = false;
  pull.receive().then(() => (isStopped = true));
  await push.send("stop");
  for (const work of [
    async () => {},
    () => publisher.send("news"),
    () => idle.receive().catch(() => {}),
  ]) {
    const end = performance.now() + 30;
    while (performance.now() < end) await work(); // which gives the event loop no time
    assert.equal(isStopped, false);
  }
  const late = performance.now() + TIMEOUT;
  while (!isStopped && performance.now() < late) await setImmediate();
  assert.ok(isStopped);
});

test("how do I receive from several sockets (poll)?", async () => {
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

test('how do I get `on("message", …)`, or an Observable (RxJS)?', async () => {
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
  await assert.rejects(forward(new Subscriber(), new Publisher(), 100), timedOut);
  await assert.rejects(forward(new Router(), new Dealer(), 100), timedOut);
  const unbound = new Proxy(new XSubscriber(), new XPublisher());
  assert.throws(() => unbound.run(), {
    message: "Front-end socket must be bound or connected",
  });
  const wise = forward(new XSubscriber(), new XPublisher());
  assert.equal(await wise, "news");
});

/** Answers all requests, but for the given ones. */
async function echo(socket: Router, ...lost: string[]) {
  for await (const frames of socket) {
    if (!lost.includes(String(frames.at(-1)))) await socket.send(frames);
  }
}

test("`Operation was not possible or timed out` (EAGAIN): No message came within `receiveTimeout`", async () => {
  const naive = program(`
    const socket = new Pull({ receiveTimeout: 10 });
    await socket.bind("tcp://127.0.0.1:*");
    await socket.receive();`);
  const endpoint = await tcpEndpoint();
  const ask = async (request: string, options: object) => {
    const socket = connect(new Request({ receiveTimeout: 10, ...options }), endpoint);
    await socket.send(request);
    await assert.rejects(socket.receive(), timedOut);
    return socket;
  };
  await close(await ask("given up", { linger: 0 }), "end");
  (await ask("still delivered", { linger: -1 })).close(); // the default, if context.blocky is true
  const router = open(new Router());
  await router.bind(endpoint);
  const received = async () => String((await router.receive()).at(-1));
  assert.equal(await received(), "still delivered");
  await connect(new Request(), endpoint).send("asked anew");
  assert.equal(await received(), "asked anew");

  await naive.stderr.next("[Error: Operation was not possible or timed out] {");
  assert.equal(await naive.exitStatus(), 1);
});

test("`Operation was not possible or timed out` (EAGAIN): You closed the socket while it waited", async () => {
  const loops = [
    async (socket: Pull) => {
      while (!socket.closed) await socket.receive();
    },
    async (socket: Pull) => {
      for await (const _ of socket);
    },
  ];
  const [naive, wise] = loops.map((loop) => {
    const socket = open(new Pull());
    const ended = loop(socket);
    socket.close();
    return ended;
  });
  await assert.rejects(naive, timedOut);
  await wise;
});

test("`Operation was not possible or timed out` (EAGAIN): A Reply received a non-request", async () => {
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

test("`Operation was not possible or timed out` (EAGAIN): A late reply came to a Request with `correlate: true`", async () => {
  const router = new Router();
  const options = { relaxed: true, correlate: true };
  const request = connect(new Request(options), await bind(router));
  for (const text of ["one", "two"]) await request.send(text);
  const asked = [await router.receive(), await router.receive()];
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

test("`Operation was not possible or timed out` (EAGAIN): `send()` found no peer or only full queues", async () => {
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

test("A Request or Reply waits forever (EFSM): A Request sends twice", async () => {
  const router = new Router();
  const endpoint = await bind(router);
  echo(router, "lost");
  const request = connect(new Request({ receiveTimeout: 10 }), endpoint);
  await request.send("lost");
  await assert.rejects(request.receive(), timedOut);
  const second = request.send("naive");
  const fresh = connect(new Request(), endpoint);
  await fresh.send("wise");
  assert.equal(await comesFirst(second, fresh.receive()), false);
  const limited = connect(new Request({ sendTimeout: 10 }), endpoint);
  await limited.send("one");
  await assert.rejects(limited.send("two"), wrongState);

  const slow = new Router();
  const options = { relaxed: true, receiveTimeout: 10 };
  for (const correlate of [false, true]) {
    const relaxed = connect(new Request({ ...options, correlate }), await bind(slow));
    await relaxed.send("one");
    await assert.rejects(relaxed.receive(), timedOut);
    relaxed.receiveTimeout = -1;
    await relaxed.send("two");
    const asked = [await slow.receive(), await slow.receive()];
    await slow.send(asked[0]);
    if (correlate) await assert.rejects(relaxed.receive(), timedOut);
    else assert.equal(String(await relaxed.receive()), "one"); // an old reply
    if (correlate) await slow.send(asked[1]);
    if (correlate) assert.equal(String((await relaxed.receive()).at(-1)), "two");
  }
});

test("A Request or Reply waits forever (EFSM): A Reply receives twice", async () => {
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

test("A Request or Reply waits forever (EFSM): The server was restarted", async () => {
  const endpoint = await tcpEndpoint();
  const before = open(new Router());
  await before.bind(endpoint);
  const naive = connect(new Request(), endpoint);
  await naive.send("naive");
  const ask = async (request: string): Promise<string> => {
    const socket = connect(new Request({ receiveTimeout: 200 }), endpoint);
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

test("A Request or Reply waits forever (EFSM): The reply lacks the empty frame", async () => {
  const router = new Router();
  const endpoint = await bind(router);
  const ask = async (...envelope: string[]) => {
    const request = connect(new Request(), endpoint);
    await request.send("a request");
    const [id] = await router.receive();
    await router.send([id, ...envelope, "a reply"]);
    return { reply: request.receive() };
  };
  const naive = await ask();
  const wise = await ask("");
  assert.equal(await comesFirst(naive.reply, wise.reply), false);
  assert.equal(String(await wise.reply), "a reply");
});

/** Two clients ask a server. */
async function askTwice(server: Reply | Router) {
  const endpoint = await bind(server);
  const clients = [connect(new Request(), endpoint), connect(new Request(), endpoint)];
  for (const client of clients) await client.send("hello");
  return clients;
}

test("a Reply server answers one request at a time; replies reach the wrong caller", async () => {
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

test("a Router receives an id and an empty frame first; a Dealer's request gets no answer", async () => {
  const router = new Router();
  const request = connect(new Request(), await bind(router));
  await request.send("a request");
  const [id, ...rest] = await router.receive();
  assert.deepEqual(rest.map(String), ["", "a request"]);
  await router.send("a reply to nobody");
  await router.send([id, "", "a reply"]);
  assert.equal(String(await request.receive()), "a reply");

  const reply = new Reply();
  const dealer = connect(new Dealer(), await bind(reply));
  await dealer.send("naive");
  await assert.rejects(reply.receive(), timedOut);
  await dealer.send(["", "wise"]);
  assert.equal(String(await reply.receive()), "wise");
  await reply.send("a reply");
  assert.deepEqual((await dealer.receive()).map(String), ["", "a reply"]);
});

test("of two clients with the same `routingId` (identity), one is never heard", async () => {
  for (const handover of [false, true]) {
    const router = new Router({ handover });
    const endpoint = await bind(router);
    const received = async () => String((await router.receive())[1]);
    const [first, second] = [1, 2].map(() => open(new Dealer({ routingId: "same" })));
    first.connect(endpoint);
    await first.send("first");
    assert.equal(await received(), "first");
    const met = event(second, "handshake");
    second.connect(endpoint);
    await met;
    await second.send("second");
    if (handover) {
      assert.equal(await received(), "second");
      continue;
    }
    await first.send("first again");
    assert.equal(await received(), "first again");
    const left = event(router, "disconnect");
    first.close();
    await left;
    await second.send("second again");
    await connect(new Dealer(), endpoint).send("somebody else");
    assert.equal(await received(), "somebody else");
  }
});

test("`Too many open file descriptors` (EMFILE); a server burns CPU", async () => {
  assert.equal(context.maxSockets, 1023);
  const openMany = (listener = "") =>
    program(`
    import { context, Dealer } from "zeromq";
    context.maxSockets = 30;
    const sockets = [];
    process.on("exit", () => console.log("sockets: " + sockets.length));
    for (;;) {
      const socket = new Dealer();
      ${listener}
      sockets.push(socket);
    }`);
  const [plain, listening] = [openMany(), openMany('socket.events.on("handshake", () => {});')];
  for (const { stderr } of [plain, listening]) await stderr.next(/Too many open file descriptors/);
  await plain.stdout.next("sockets: 30");
  await listening.stdout.next("sockets: 10");
});
