// docs/behaviour.md: each cell of its table, each figure and the main sentences.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import * as zmq from "zeromq";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { read } from "../../tools/repository.ts";
import * as support from "../support.ts";
import { comesFirst, fewFiles, layCable, program, timedOut } from "./support.ts";
import * as probes from "./probes.ts";

const { bind, close, connect, event, open } = support;
const { big, fill, isSender, join, outcome, partners, probe, soon } = probes;

/** The table of all sockets: the cells of each class. */
const rows = read("docs/behaviour.md").matchAll(/^\| `([A-Z]\w+)` \| (.*) \|$/gm);
const cells = Array.from(rows, ([, name, row]) => [name, row.split(" | ")] as const);
/** A column of it. */
const column = (n: number) => Object.fromEntries(cells.map(([name, row]) => [name, row[n]]));
const portOf = (endpoint: string) => Number(new URL(endpoint).port);

/** Compares a column with what is found out for each class, or given. */
async function check(n: number, given: object, find: (name: probes.Name) => Promise<string>) {
  const found: Record<string, string> = { Pull: "–", ...given };
  const findOne = async ([name]: readonly [string, unknown]) => {
    if (isSender(name)) found[name] = await find(name);
  };
  await Promise.all(cells.map(findOne));
  assert.deepEqual(column(n), found);
}

/** A Stream, and a TCP program that has connected to it. */
async function stream() {
  const socket = new zmq.Stream();
  const client = net.connect(portOf(await bind(socket)), "127.0.0.1").on("error", () => {});
  return { socket, client, id: (await socket.receive())[0] };
}

test("table: ZeroMQ's names, and whom a socket talks to", async () => {
  const types: Record<string, string> = { Stream: "STREAM" };
  const talksTo: Record<string, string> = { Stream: "any TCP program" };
  const names = [...Object.keys(partners).filter(isSender), "Subscriber", "Pull"] as const;
  const order = cells.map(([name]) => name);
  for (const name of names) {
    const raw = net.connect(portOf(await bind(new zmq[name]())), "127.0.0.1");
    raw.write(support.greeting);
    for (let answer = ""; !types[name];) {
      answer += String((await once(raw, "data"))[0]);
      types[name] = /Socket-Type\0{3}.([A-Z]+)/.exec(answer)?.[1] ?? "";
    }
    raw.destroy();
    const fits = [];
    for (const other of names) {
      const [server, client] = [new zmq[name](), open(new zmq[other]())];
      const endpoint = await bind(server);
      const [met, refused] = [event(client, "handshake"), event(client, "disconnect")];
      client.connect(endpoint);
      if (await comesFirst(met, refused)) fits.push(other);
      for (const socket of [server, client]) socket.close();
    }
    talksTo[name] = fits.sort((a, b) => order.indexOf(a) - order.indexOf(b)).join(", ");
  }
  assert.deepEqual([column(0), column(1)], [types, talksTo]);

  const { socket, client } = await stream();
  client.write("from TCP");
  assert.equal(String((await socket.receive())[1]), "from TCP");
  client.destroy();
});

test("table: who gets what a socket sends", async () => {
  assert.ok(!("sendTimeout" in zmq.Pull.prototype) && "sendTimeout" in zmq.Push.prototype);
  const subscriber = open(new zmq.Subscriber());
  subscriber.subscribe("a/");
  for (const publisher of [new zmq.XPublisher(), new zmq.XPublisher()]) {
    subscriber.connect(await bind(publisher));
    assert.equal(String(await publisher.receive()), "\x01a/");
  }
  const socket = new zmq.Stream();
  const port = portOf(await bind(socket));
  const clients = [];
  for (const word of ["one", "two"]) {
    const client = net.connect(port, "127.0.0.1");
    clients.push({ word, client, id: (await socket.receive())[0] });
  }
  for (const { word, id } of clients) await socket.send([id, word]);
  for (const { word, client } of clients) {
    assert.equal(String((await once(client, "data"))[0]), word);
    client.destroy();
  }
  const given = {
    Pull: "nobody: it only receives",
    Subscriber: "every peer gets its subscriptions",
    Stream: "the peer in the first frame",
  };
  await check(2, given, async (name) => {
    const phrases: Record<string, string> = {
      "03 14 25": name === "Reply" ? "the peer that asked" : "one peer, in turn",
      "012345 012345 ": "every peer that subscribed to it",
      "012345 012345 012345": "every peer",
      "012345  ": name === "Pair" ? "its first peer" : "the peer in the first frame",
    };
    return phrases[await probes.share(name)];
  });
});

test("table: send() without a peer", async () => {
  const { socket, client } = await stream();
  assert.equal(await outcome(socket.send(["nobody", "hello"])), "rejects (EHOSTUNREACH)");
  client.destroy();
  await check(3, { Subscriber: "keeps subscriptions", Stream: "rejects" }, async (name) => {
    const bound = await probe(name, "bound", "alone");
    const found = `${bound}, ${await probe(name, "connected", "alone")}`;
    if (found === "waits, waits") return "waits for a request";
    if (found === "waits, all") return "waits; queues, if it connected";
    if (name === "XSubscriber" && found === "none, all") {
      return "keeps subscriptions; drops messages (queues them, if it connected)";
    }
    return found === "none, none" ? "drops" : found;
  });
});

test("table: send(), and the queue is full", async () => {
  const { socket, client, id } = await stream();
  let became = "done";
  while (became === "done") became = await outcome(socket.send([id, big]));
  assert.equal(became, "rejects (EAGAIN)");
  client.destroy();
  await check(4, { Subscriber: "drops subscriptions", Stream: "rejects" }, async (name) => {
    const found = await probe(name, "bound", "full");
    return found === "none" || found === "some" ? "drops" : found;
  });
});

test("table: the queue, when the peer goes", async () => {
  const endpoint = await tcpEndpoint();
  const socket = open(new zmq.Stream(soon));
  const server = net.createServer({ pauseOnConnect: true }).listen(portOf(endpoint), "127.0.0.1");
  socket.connect(endpoint);
  const [first] = await once(server, "connection");
  const [id] = await socket.receive();
  for (let n = 0; n < 16; n++) await socket.send([id, big]);
  first.destroy();
  const [second] = await once(server, "connection");
  await once(second.resume(), "data"); // The queue is kept.
  second.destroy();
  server.close();
  const kept = "kept, if it connected";
  await check(5, { Subscriber: "subscribes again", Stream: kept }, async (name) => {
    assert.equal(await probe(name, "bound", "gone"), "none");
    assert.equal(await probe(name, "connected", "gone", true), "none", "immediate");
    const found = await probe(name, "connected", "gone");
    return found === "some" ? kept : "lost; subscribes again";
  });
});

test("subscriptions: 500 come back at each restart, but not 700; of an XSubscriber, 2,500", async (t) => {
  const few = await probes.subscribe(new zmq.Subscriber(soon), 500, 4);
  const some = await probes.subscribe(new zmq.Subscriber(soon), 700, 2);
  const many = await probes.subscribe(new zmq.Subscriber(soon), 2500, 0);
  t.diagnostic(`subscriptions: of 500, ${few}; of 700, ${some}; of 2,500, ${many}`);
  assert.deepEqual(few, Array(5).fill(500));
  assert.ok(Math.min(...some) < 700 && many[0] < 2500);
  const unlimited = new zmq.XSubscriber({ ...soon, sendHighWaterMark: 0 });
  assert.deepEqual(await probes.subscribe(unlimited, 2500, 2), [2500, 2500, 2500]);
});

test("topics: what nobody subscribed to does not travel", async () => {
  const publisher = new zmq.XPublisher({ verbosity: "allSubs" });
  let bytes = 0;
  const cable = await layCable(await bind(publisher), ({ length }) => (bytes += length));
  const subscriber = await support.subscribe(publisher, cable.endpoint, "a/");
  for (const topic of ["b/", "a/"]) await publisher.send([topic, topic === "b/" ? big : "news"]);
  assert.deepEqual((await subscriber.receive()).map(String), ["a/", "news"]);
  assert.ok(bytes < 1000);
});

test("queues: 2,000 messages of 10 kB, 300 with marks of 10, over 100,000 of one byte", async (t) => {
  const counts = [fill(10_000, 9000), fill(10_000, 9000, 10), fill(1, 100_000)];
  const [usual, low, small] = await Promise.all(counts);
  t.diagnostic(`queued: ${usual} messages of 10 kB; ${low} with marks of 10`);
  assert.ok(usual >= 2000 && usual < 9000 && low > 20 && low <= usual - 1000);
  assert.equal(small, 100_000);
});

test("queues: a Push passes over a full one, and deals in turn before that", async () => {
  const push = new zmq.Push({ sendHighWaterMark: 1 });
  const endpoint = await bind(push);
  const pulls = [];
  for (const receiveHighWaterMark of [1, 1000]) {
    pulls.push(await join(new zmq.Pull({ receiveHighWaterMark }), endpoint, push));
  }
  const reading = (async () => {
    for (let n = 0; n < 40; n++) await pulls[1].receive();
  })();
  for (let n = 0; n < 60; n++) await push.send([`${n}`, big]);
  await reading;
});

test("order: a receiver that is bound reads the old connection and the new in turn", async () => {
  for (const end of ["bound", "connected"]) {
    const pull = open(new zmq.Pull(soon));
    const endpoint = await tcpEndpoint();
    if (end === "bound") await pull.bind(endpoint);
    else pull.connect(endpoint);
    for (const batch of ["012", "345"]) {
      const push = open(new zmq.Push({ linger: 9000 }));
      if (end === "bound") push.connect(endpoint);
      else await push.bind(endpoint);
      for (const number of batch) await push.send([number, big.subarray(Number(number) * 9000)]);
      const left = event(pull, "disconnect");
      push.close();
      await left; // All has arrived.
    }
    let order = "";
    for (let n = 0; n < 6; n++) order += (await pull.receive())[0];
    assert.equal(order, end === "bound" ? "031425" : "012345");
  }
});

test("age: a closed Request still delivers its question, unless its linger is 0", async () => {
  const endpoint = await tcpEndpoint();
  const dropping = connect(new zmq.Request({ ...soon, linger: 0 }), endpoint);
  await dropping.send("dropped");
  await close(dropping, "end");
  const keeping = connect(new zmq.Request({ ...soon, linger: -1 }), endpoint);
  await keeping.send("kept");
  keeping.close();
  const router = open(new zmq.Router());
  await router.bind(endpoint);
  assert.equal(String((await router.receive()).at(-1)), "kept");
  await connect(new zmq.Request(), endpoint).send("next");
  assert.equal(String((await router.receive()).at(-1)), "next");
});

test("connections: a client tries again after 100 to 200 ms, or ever more rarely", async () => {
  const retry = async (options: object, count: number) => {
    const socket = open(new zmq.Pull(options));
    const { events } = socket; // keeps them from now on
    const intervals: number[] = [];
    for (socket.connect(await tcpEndpoint()); intervals.length < count;) {
      const seen = await events.receive();
      if (seen.type === "connect:retry") intervals.push(seen.interval);
    }
    return intervals;
  };
  for (const ms of await retry({}, 3)) assert.ok(ms >= 100 && ms < 200, `${ms}`);
  assert.deepEqual(await retry({ ...soon, reconnectMaxInterval: 50 }, 3), [20, 40, 50]);
});

test("heartbeats: a frame that travels longer than heartbeatTimeout is cut off and lost", async () => {
  const frame = big.subarray(0, 300_000);
  for (const patience of [{}, { heartbeatTimeout: 30_000 }]) {
    const push = new zmq.Push();
    const endpoint = await probes.trickle(await bind(push));
    const options = { ...soon, heartbeatInterval: 100, ...patience };
    const pull = await join(new zmq.Pull(options), endpoint);
    const cut = event(pull, "disconnect").then(() => []);
    await push.send(frame);
    const [received] = await Promise.race([pull.receive(), cut]);
    assert.equal(received?.length, "heartbeatTimeout" in patience ? frame.length : undefined);
  }
});

test(
  "size: a process has 1,023 sockets, or 341 with a listener each",
  { skip: fewFiles },
  async () => {
    const count = (more: string) =>
      program(`
    let n = 0;
    try { for (;; n++) { const socket = new Pull(); ${more} } } catch {}
    console.log(n);
    process.kill(process.pid, "SIGKILL");`).stdout.next(/^\d+$/);
    assert.equal(await count(""), "1023");
    assert.equal(await count('socket.events.on("connect", () => {});'), "341");
  },
);

test("inproc: it joins sockets of one context, and does not come back", async () => {
  const push = open(new zmq.Push());
  await push.bind("inproc://here");
  const pull = connect(new zmq.Pull(), "inproc://here");
  connect(new zmq.Pull({ context: new zmq.Context() }), "inproc://here");
  for (const word of ["one", "two"]) {
    await push.send(word);
    assert.equal(String(await pull.receive()), word);
  }
  push.close();
  const next = open(new zmq.Push({ sendTimeout: 50 }));
  while ((await next.bind("inproc://here").catch(() => "in use")) === "in use");
  await assert.rejects(next.send("three"), timedOut);
});

test("the end: a running Proxy keeps a crashed process alive; with four, bind() waits", async () => {
  const run = (count: number, then: string) =>
    program(`
    const { Proxy } = await import("zeromq");
    const proxies = [];
    for (let n = 0; n < ${count}; n++) {
      const ends = [new Pull(), new Push()];
      for (const end of ends) await end.bind("tcp://127.0.0.1:*");
      proxies.push(new Proxy(...ends));
    }
    for (const proxy of proxies) proxy.run();
    ${then}`);
  const crashed = run(1, 'throw new Error("crash")');
  await crashed.stderr.next(/crash/);
  const wise = run(1, 'process.on("exit", () => proxies[0].terminate()); throw new Error("crash")');
  assert.equal(await wise.exitStatus(), 1);
  assert.ok(crashed.isRunning());
  const bindLate = `
    new Push().bind("tcp://127.0.0.1:*").then(() => console.log("bound"));
    setTimeout(() => { console.log("not yet"); proxies[0].terminate(); }, 100);`;
  const full = run(4, bindLate);
  await full.stdout.next("bound");
  assert.deepEqual(full.stdout.all, ["not yet", "bound"]);
});

test("identity: of two clients with one, the Router hears only the first, even after it has left", async () => {
  const router = new zmq.Router();
  const endpoint = await bind(router);
  const named = { routingId: "bob", probeRouter: true };
  const first = await join(new zmq.Dealer(named), endpoint, router);
  const second = await join(new zmq.Dealer(named), endpoint, router);
  assert.deepEqual((await router.receive()).map(String), ["bob", ""]);
  await second.send("from the second");
  const left = event(router, "disconnect");
  first.close();
  await left;
  connect(new zmq.Dealer(), endpoint).send("from a third");
  assert.equal(String((await router.receive())[1]), "from a third");
});

test("security: the doorkeeper decides once; PLAIN travels unencrypted", async () => {
  const doorkeeper = open(new zmq.Reply());
  await doorkeeper.bind("inproc://zeromq.zap.01");
  const push = new zmq.Push({ plainServer: true, zapDomain: "here" });
  let passed = "";
  const cable = await layCable(await bind(push), (bytes) => (passed += bytes));
  const options = { plainUsername: "bob", plainPassword: "open sesame" };
  const pull = connect(new zmq.Pull(options), cable.endpoint);
  const [version, id, ...asked] = await doorkeeper.receive();
  assert.deepEqual(asked.slice(1).map(String), ["127.0.0.1", "", "PLAIN", "bob", "open sesame"]);
  await doorkeeper.send([version, id, "200", "", "", ""]);
  await push.send("hello");
  assert.equal(String(await pull.receive()), "hello");
  doorkeeper.close();
  await push.send("still inside");
  assert.equal(String(await pull.receive()), "still inside");
  assert.match(passed, /open sesame/);
});
