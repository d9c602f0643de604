// The README's troubles with receiving.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import {
  Dealer,
  Proxy,
  Publisher,
  Reply,
  Request,
  Router,
  type Socket,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "zeromq";
import { patience, serve } from "../tools/script.ts";
import { freePort, tcp } from "../tools/temporary.ts";
import { bind, connect, event, open, program, test } from "../tools/test.ts";

/** Publishes a message every 20 ms, until the test ends. */
function repeat(publisher: Publisher, message: string) {
  const timer = setInterval(() => {
    if (publisher.closed) clearInterval(timer);
    else publisher.send(message);
  }, 20);
}

test("a subscriber prints nothing", async () => {
  const publisher = new Publisher();
  const endpoint = await bind(publisher);
  const subscriber = (subscribe: string) =>
    program(
      endpoint,
      `
      const socket = new Subscriber();
      socket.events.on("handshake", () => console.log("connected"));
      socket.connect(endpoint);
      ${subscribe}
      for await (const [message] of socket) console.log(String(message));`,
    );
  const deaf = subscriber("");
  await deaf.stdout.next("connected");
  const other = subscriber("socket.subscribe();");
  repeat(publisher, "hello");
  await other.stdout.next("hello", 10);
  assert.deepEqual(deaf.stdout.all, ["connected"]);
});

test("a server ends with `Operation was not possible or timed out` (EAGAIN)", async () => {
  const disturb = async (endpoint: string) => {
    const dealer = connect(new Dealer(), endpoint);
    await dealer.send("no delimiter");
    return dealer;
  };
  const frail = await tcp();
  const victim = program(
    frail,
    `
    const socket = new Reply();
    await socket.bind(endpoint);
    for await (const frames of socket) await socket.send(frames);`,
  );
  await disturb(frail);
  await victim.stderr.next(/Operation was not possible or timed out/);
  assert.equal(await victim.status(), 1);

  const robust = await tcp();
  await serve("eventloop/server.ts", robust);
  const dealer = await disturb(robust);
  await dealer.send(["", "a request"]);
  assert.equal(String(await dealer.receive()), ",a request");
});

test("a client falls silent when the server's machine loses power", async (t) => {
  const publisher = new Publisher();
  const port = Number((await bind(publisher)).split(":")[2]);
  repeat(publisher, "hello");

  // When it is pulled, connections stay, but neither bytes nor a goodbye pass.
  const ends: [net.Socket, net.Socket][] = [];
  const cable = net.createServer((near) => {
    const far = net.connect(port, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const end of [near, far]) end.on("error", () => {});
    ends.push([near, far]);
  });
  const cablePort = await freePort();
  await once(cable.listen(cablePort, "127.0.0.1"), "listening");
  t.after(() => {
    cable.close();
    for (const end of ends.flat()) end.destroy();
  });

  const client = (options: string) =>
    program(
      `tcp://127.0.0.1:${cablePort}`,
      `
      const socket = new Subscriber(${options});
      socket.events.on("disconnect", () => console.log("disconnected"));
      socket.connect(endpoint);
      socket.subscribe();
      for await (const [message] of socket) console.log(String(message));`,
    );
  const naive = client("");
  const wary = client("{ heartbeatInterval: 1000 }");
  await naive.stdout.next("hello");
  await wary.stdout.next("hello");
  for (const [near, far] of ends) {
    near.unpipe(far);
    far.unpipe(near);
  }
  await wary.stdout.next("disconnected");
  const before = naive.stdout.all.length;
  await wary.stdout.next("hello", 10);
  assert.equal(naive.stdout.all.length, before);
});

test("only the topic arrives; `cam1` also gets `cam10`", async () => {
  const publisher = new XPublisher();
  const endpoint = await bind(publisher);
  const subscribe = async (topic: string) => {
    const subscriber = connect(new Subscriber(), endpoint);
    subscriber.subscribe(topic);
    await publisher.receive();
    return subscriber;
  };
  const naive = await subscribe("cam1");
  await publisher.send(["cam10", "from camera 10"]);
  const [message] = await naive.receive();
  assert.equal(String(message), "cam10");

  const wise = await subscribe("cam1/");
  await publisher.send(["cam10/", "from camera 10"]);
  await publisher.send(["cam1/", "from camera 1"]);
  const [topic, picture] = await wise.receive();
  assert.deepEqual([topic, picture].map(String), ["cam1/", "from camera 1"]);
});

test("a Reply server answers nobody any more", async () => {
  const reply = new Reply({ receiveTimeout: 500 });
  const endpoint = await bind(reply);
  const ask = async (request: string) => {
    const client = connect(new Request(), endpoint);
    await client.send(request);
    return client;
  };
  await ask("bad");
  await reply.receive();
  const client = await ask("good");
  await assert.rejects(reply.receive(), {
    code: "EFSM",
    message: "Operation cannot be accomplished in current state",
  });

  await reply.send("error: a bad request");
  reply.receiveTimeout = patience;
  assert.equal(String(await reply.receive()), "good");
  await reply.send("a reply");
  assert.equal(String(await client.receive()), "a reply");
});

test("a Dealer's or Router's messages are not answered, or have frames one did not send", async () => {
  const router = new Router();
  const request = connect(new Request(), await bind(router));
  await request.send("a request");
  const frames = await router.receive();
  const envelope = frames.slice(0, -1);
  assert.deepEqual(frames.slice(1).map(String), ["", "a request"]);
  await router.send("a reply to nobody");
  await router.send([...envelope, "a reply"]);
  assert.deepEqual((await request.receive()).map(String), ["a reply"]);

  const reply = new Reply();
  const dealer = connect(new Dealer(), await bind(reply));
  await dealer.send("no request");
  await assert.rejects(reply.receive(), { code: "EAGAIN" });
  await dealer.send(["", "a request"]);
  assert.deepEqual((await reply.receive()).map(String), ["a request"]);
  await reply.send("a reply");
  assert.deepEqual((await dealer.receive()).map(String), ["", "a reply"]);
});

test("a forwarder between publishers and subscribers passes nothing", async () => {
  const forward = async (front: Socket, back: Socket, timeout: number) => {
    const options = { receiveTimeout: timeout };
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
  const naive = forward(new Subscriber(), new Publisher(), 1000);
  await assert.rejects(naive, { code: "EAGAIN" });
  const wise = forward(new XSubscriber(), new XPublisher(), patience);
  assert.equal(await wise, "news");
});

test("a client waits for ever for a reply", async () => {
  const endpoint = await tcp();
  const before = open(new Router());
  await before.bind(endpoint);
  const naive = connect(new Request({ receiveTimeout: 500 }), endpoint);
  await naive.send("naive");
  const ask = async (request: string): Promise<string> => {
    const options = { linger: 0, receiveTimeout: 1000 };
    const socket = connect(new Request(options), endpoint);
    await socket.send(request);
    const frames = await socket.receive().catch(() => undefined);
    socket.close();
    return frames ? String(frames) : ask(request);
  };
  const answer = ask("wise");
  await before.receive();
  await before.receive();

  const freed = event(before, "close");
  before.close();
  await freed;
  const back = event(naive, "handshake");
  const after = open(new Reply());
  await after.bind(endpoint);
  (async () => {
    for await (const frames of after) await after.send(frames);
  })();
  assert.equal(await answer, "wise");
  await back;
  await assert.rejects(naive.receive(), { code: "EAGAIN" });
});
