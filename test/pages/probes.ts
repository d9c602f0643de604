// What becomes of a message, or of subscriptions: for the tests of docs/behaviour.md.
import { once } from "node:events";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import * as zmq from "zeromq";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { bind, close, connect, event, open } from "../support.ts";
import { comesFirst } from "./support.ts";

/** What can send, and whom it sends to here. */
export const partners = {
  Publisher: "Subscriber",
  XPublisher: "Subscriber",
  XSubscriber: "XPublisher",
  Push: "Pull",
  Request: "Router",
  Reply: "Dealer",
  Dealer: "Router",
  Router: "Dealer",
  Pair: "Pair",
} as const;
export type Name = keyof typeof partners;
type Sender = InstanceType<(typeof zmq)[Name]>;
type Peer = InstanceType<(typeof zmq)[(typeof partners)[Name]]>;
type End = "bound" | "connected";
export const isSender = (name: string): name is Name => name in partners;
export const big = Buffer.alloc(1_000_000, "a"); // From an XSubscriber, a byte 0 would unsubscribe.
export const soon = { reconnectInterval: 20 };

function makeSender(name: Name, options: object = {}): Sender {
  const sender = open(new zmq[name]({ ...soon, ...options }));
  if (sender instanceof zmq.Request) Object.assign(sender, { relaxed: true, correlate: true });
  if (sender instanceof zmq.Router) sender.handover = true;
  return sender;
}

/** A socket of its partner's class that queues one message, and gets what is sent to its id. */
function makePeer(name: Name, id = "peer"): Peer {
  const peer = open(new zmq[partners[name]]({ ...soon, receiveHighWaterMark: 1 }));
  if (peer instanceof zmq.Subscriber) peer.subscribe(id);
  if (name === "Router" && peer instanceof zmq.Dealer) peer.routingId = id;
  return peer;
}

/** Connects a client, and waits until the server, or another socket, has noticed. */
export async function join<S extends zmq.Socket>(
  client: S,
  endpoint: string,
  witness: zmq.Socket = client,
) {
  const met = event(witness, "handshake");
  connect(client, endpoint);
  await met;
  return client;
}

/** A Reply has to be asked before it can send. */
async function ask(sender: Sender, peer?: Peer) {
  if (!(sender instanceof zmq.Reply && peer instanceof zmq.Dealer)) return;
  await peer.send(["", "?"]);
  await sender.receive();
}

/** Sends a word until the peer has read it: how many big messages it reads before that. */
async function readAll(sender: Sender, peer: Peer, word: string, id = "peer") {
  let count = 0;
  const reading = (async () => {
    for (;;) {
      const body = (await peer.receive()).at(-1);
      if (String(body) === word) return;
      if (body?.length === big.length) count++;
    }
  })();
  do {
    await ask(sender, peer);
    await sender.send([id, word]);
  } while (!(await comesFirst(reading, sleep(5))));
  return count;
}

/** What becomes of a promise of send(). */
export const outcome = (sending: Promise<void>) =>
  comesFirst(sending, sleep(20)).then(
    (isDone) => (isDone ? "done" : "waits"),
    (error) => `rejects (${error.code})`,
  );

/**
 * Sends big messages while nobody is there, to a peer that reads nothing, or to one that then goes.
 * If send() does not wait, somebody reads in the end: how many arrive?
 */
export async function probe(
  name: Name,
  end: End,
  when: "alone" | "full" | "gone",
  immediate = false,
) {
  const sender = makeSender(name, { immediate, sendHighWaterMark: when === "full" ? 1 : 1000 });
  const endpoint = await tcpEndpoint();
  if (end === "bound") await sender.bind(endpoint);
  else sender.connect(endpoint);
  const join = async (peer = makePeer(name)) => {
    if (end === "bound") peer.connect(endpoint);
    else await peer.bind(endpoint);
    return peer;
  };
  let peer = when === "alone" ? undefined : await join();
  if (peer) await readAll(sender, peer, "hello");
  const count = when === "alone" ? 1 : 16;
  for (let n = 0; n < count; n++) {
    await ask(sender, peer);
    const sending = sender.send(["peer", big]);
    if ((await outcome(sending)) === "done") continue;
    if (!peer) sending.catch(() => {}); // It is closed when the test ends.
    for (let missing = n + 1; peer && missing > 0;) {
      if ((await peer.receive()).at(-1)?.length === big.length) missing--;
    }
    return "waits"; // and nothing was dropped.
  }
  if (when === "gone" && peer) {
    const left = event(sender, "disconnect");
    if (end === "connected") await close(peer);
    peer.close();
    await left;
    // A Pair refuses a new peer until it has noticed that the old one has left.
    const isForgotten = end === "bound" || immediate;
    while (sender instanceof zmq.Pair && isForgotten && sender.writable) await sleep(5);
    peer = undefined;
  }
  const arrived = await readAll(sender, peer ?? (await join()), "end");
  return arrived === 0 ? "none" : arrived < count ? "some" : "all";
}

/** Sends 0 to 5 for the first of three peers, and an end for each: what each has got before. */
export async function share(name: Name) {
  const sender = makeSender(name);
  const endpoint = await bind(sender);
  const ids = name === "Router" ? ["1", "2", "3"] : ["1", "1", "2"];
  const peers: Peer[] = [];
  for (const id of ids) peers.push(await join(makePeer(name, id), endpoint, sender));
  const isTold = /Publisher|Router/.test(name); // It has to hear of its peers first.
  for (const [n, id] of ids.entries()) if (isTold) await readAll(sender, peers[n], "hello", id);
  if (name === "Pair") peers[1].receiveTimeout = peers[2].receiveTimeout = 50;
  const got = peers.map(async (peer) => {
    for (let numbers = ""; ;) {
      const body = String((await peer.receive().catch(() => ["end"])).at(-1));
      if (body === "end") return numbers;
      if (body !== "hello") numbers += body;
    }
  });
  for (let n = 0; n < 9; n++) {
    await ask(sender, peers[n % 3]);
    await sender.send(n < 6 ? [ids[0], `${n}`] : [ids[n % 3], "end"]);
  }
  return (await Promise.all(got)).join(" ");
}

/** Subscribes before it meets a publisher: how many topics that knows, and after each restart. */
export async function subscribe(
  socket: zmq.Subscriber | zmq.XSubscriber,
  topics: number,
  restarts: number,
) {
  const toggle = async (topic: string, isWanted: boolean) => {
    if (socket instanceof zmq.XSubscriber) await socket.send(`${isWanted ? "\x01" : "\0"}${topic}`);
    else if (isWanted) socket.subscribe(topic);
    else socket.unsubscribe(topic);
  };
  for (let n = 0; n < topics; n++) await toggle(`topic ${n}`, true);
  const endpoint = await tcpEndpoint();
  connect(socket, endpoint);
  socket.receive().catch(() => {}); // It meets a publisher again only while it is in use.
  const known = [];
  for (let start = 0; start <= restarts; start++) {
    const publisher = open(new zmq.XPublisher({ receiveHighWaterMark: 0 }));
    const met = event(socket, "handshake");
    await publisher.bind(endpoint);
    await met;
    const seen = new Set();
    const reading = (async () => {
      for await (const [message] of publisher) {
        if (message[0] === 0) return;
        seen.add(String(message));
      }
    })();
    do for (const isWanted of [false, true]) await toggle("topic 0", isWanted);
    while (!(await comesFirst(reading, sleep(50))));
    known.push(seen.size);
    await close(publisher);
  }
  return known;
}

/** Sends to a Pull that reads nothing, until that waits: how many messages are queued. */
export async function fill(size: number, most: number, mark = 1000) {
  const push = new zmq.Push({ sendHighWaterMark: mark });
  connect(new zmq.Pull({ receiveHighWaterMark: mark }), await bind(push));
  const frame = Buffer.alloc(size);
  await push.send(frame); // when it is connected
  push.sendTimeout = 500;
  for (let n = 1; n < most; n++) {
    if (await push.send(frame).catch(() => "full")) return n;
  }
  return most;
}

/** Passes on what connects to its endpoint; what comes back trickles, 1 kB at a time. */
export async function trickle(to: string) {
  const endpoint = await tcpEndpoint();
  const relay = net.createServer((near) => {
    const far = net.connect(Number(new URL(to).port), "127.0.0.1");
    for (const end of [near, far]) end.on("error", () => {});
    near.pipe(far);
    const trickleBack = async () => {
      for await (const bytes of far) {
        for (let n = 0; n < bytes.length && !near.destroyed; n += 1000) {
          near.write(bytes.subarray(n, n + 1000));
          await sleep(1);
        }
      }
    };
    trickleBack().catch(() => {}); // An end that hangs up may reset the connection.
  });
  await once(relay.listen(Number(new URL(endpoint).port), "127.0.0.1").unref(), "listening");
  return endpoint;
}
