// docs/troubleshooting.md: what begins with a connection, and options.
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import {
  Context,
  curveKeyPair,
  Dealer,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  Router,
  type Socket,
  Subscriber,
  XPublisher,
} from "zeromq";
import { startProgram, startScript, TIMEOUT } from "../../tools/child.ts";
import { freePort, ipcEndpoint, tcpEndpoint, temporaryFolder } from "../../tools/endpoints.ts";
import { bind, close, connect, event, notOnWindows, open, project, subscribe } from "../support.ts";
import { comesFirst, copyZeromq, layCable, outsideAddress, program, timedOut } from "./support.ts";

const linux = process.platform === "linux";

/** What comes first, when a subscriber connects to an endpoint. */
async function meet(endpoint: string, options?: object): Promise<string> {
  const socket = open(new Subscriber(options));
  const types = [
    "handshake",
    "handshake:error:protocol",
    "handshake:error:auth",
    "connect:retry",
  ] as const;
  const first = Promise.race(types.map((type) => event(socket, type).then(() => type)));
  socket.connect(endpoint);
  const type = await first;
  socket.close();
  return type;
}

/** Binds a publisher to an endpoint. */
async function publish(endpoint: string, options?: object) {
  const publisher = open(new Publisher(options));
  await publisher.bind(endpoint);
  return publisher;
}

/** Connects a socket, and expects that it gives up, at an event, while another one tries again. */
async function assertGivesUp(socket: Socket, endpoint: string, type: "close" | "disconnect") {
  const [given, again] = [event(socket, type), event(socket, "connect:retry")];
  connect(socket, endpoint);
  await given;
  const other = open(new Pull({ reconnectInterval: 10 }));
  const retries = new Promise((resolve) => {
    let count = 0;
    other.events.on("connect:retry", () => ++count === 5 && resolve(count));
  });
  other.connect(await tcpEndpoint());
  assert.equal(await comesFirst(again, retries), false);
}

test("`No server at ENDPOINT: trying again`: Nothing listens there", async () => {
  const endpoint = await tcpEndpoint();
  assert.equal(await meet("tcp://no-such-name.invalid:1"), "connect:retry");
  const early = open(new Subscriber());
  const [retried, met] = [event(early, "connect:retry"), event(early, "handshake")];
  early.connect(endpoint);
  await retried;
  await publish(endpoint);
  await met; // It keeps trying.
});

test(
  "`No server at ENDPOINT: trying again`: The server listens at another address",
  { skip: !outsideAddress && "no other address" },
  async () => {
    const port = await freePort();
    const inside = await publish(`tcp://127.0.0.1:${port}`);
    assert.equal(await meet(`tcp://${outsideAddress}:${port}`), "connect:retry");
    await close(inside);
    if (linux) {
      // What /etc/hosts may have for the machine's name.
      const named = await publish(`tcp://127.0.1.1:${port}`);
      assert.equal(await meet(`tcp://127.0.0.1:${port}`), "connect:retry");
      await close(named);
    }
    await publish(`tcp://0.0.0.0:${port}`);
    assert.equal(await meet(`tcp://${outsideAddress}:${port}`), "handshake");
    assert.equal(await meet(`tcp://127.0.0.1:${port}`), "handshake");
  },
);

test("`No server at ENDPOINT: trying again`: IPv6 is off at one end", async (t) => {
  const port = await freePort();
  const probe = net.createServer().listen(port, "::1");
  const hasIpv6 = await once(probe, "listening").catch(() => false);
  if (!hasIpv6) return t.skip("no IPv6");
  await new Promise((closed) => probe.close(closed));
  const naive = await publish(`tcp://*:${port}`);
  assert.equal(await meet(`tcp://[::1]:${port}`, { ipv6: true }), "connect:retry");
  await close(naive);
  await publish(`tcp://*:${port}`, { ipv6: true });
  assert.equal(await meet(`tcp://[::1]:${port}`), "connect:retry");
  assert.equal(await meet(`tcp://[::1]:${port}`, { ipv6: true }), "handshake");
  assert.equal(await meet(`tcp://127.0.0.1:${port}`, { ipv6: true }), "handshake");
});

test("`No server at ENDPOINT: trying again`: Something other than ZeroMQ listens there", async () => {
  const port = await freePort();
  const web = net.createServer((peer) => peer.destroy());
  await once(web.listen(port, "127.0.0.1"), "listening");
  assert.equal(await meet(`tcp://127.0.0.1:${port}`), "connect:retry");
  await new Promise((closed) => web.close(closed));
  await publish(`tcp://127.0.0.1:${port}`);
  assert.equal(await meet(`tcp://127.0.0.1:${port}`), "handshake");
});

test("`No server at ENDPOINT: trying again`: Your message is larger than the server takes", async () => {
  const router = new Router({ maxMessageSize: 1_000_000 }); // as eventloop/server.ts has it
  const dealer = connect(new Dealer(), await bind(router));
  await dealer.send("under way");
  const lost = await router.receive();
  const retried = event(dealer, "connect:retry");
  const left = event(router, "disconnect");
  await dealer.send(Buffer.alloc(1_000_001));
  await retried;
  await left;
  await router.send(lost);
  await dealer.send(Buffer.alloc(1_000_000));
  await router.send(await router.receive());
  assert.equal((await dealer.receive())[0].length, 1_000_000);
});

const [serverKeys, clientKeys] = [curveKeyPair(), curveKeyPair()];
const curveServer = { curveServer: true, curveSecretKey: serverKeys.secretKey };
const curveClient = {
  curveServerKey: serverKeys.publicKey,
  curvePublicKey: clientKeys.publicKey,
  curveSecretKey: clientKeys.secretKey,
};

test("`No server at ENDPOINT: trying again`: The keys do not fit", async () => {
  const endpoint = await bind(new Publisher(curveServer));
  const { curveServerKey } = curveClient;
  for (const wrong of [
    { ...curveClient, curveServerKey: clientKeys.publicKey },
    { ...curveClient, curvePublicKey: serverKeys.publicKey },
    { curveServerKey },
  ]) {
    assert.equal(await meet(endpoint, wrong), "connect:retry");
  }
  assert.equal(await meet(endpoint, curveClient), "handshake");
  const strict = new Publisher({ ...curveServer, zapDomain: "friends", zapEnforceDomain: true });
  const reason = new Promise((resolve) => {
    strict.events.on("handshake:error:other", ({ error }) => resolve(error.message));
  });
  for (const server of [new Publisher({ curveServer: true }), strict]) {
    // Without a doorkeeper, the first connection may hang: by default, for 30 seconds.
    const client = open(new Subscriber({ ...curveClient, handshakeInterval: 200 }));
    const types = ["connect:retry", "handshake:error:other"] as const;
    const seen = types.map((type) => event(client, type));
    client.connect(await bind(server));
    await Promise.all(seen);
  }
  assert.equal(await reason, "Context is closed");
});

test(
  "`No server at ENDPOINT: trying again`: An IPC server runs as another user",
  { skip: notOnWindows },
  async (t) => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const path = join(folder, "socket.ipc");
    const before = process.umask(0o022);
    await publish(`ipc://${path}`);
    process.umask(before);
    assert.equal(statSync(path).mode & 0o777, 0o755); // others may not write, that is, connect
    if (process.getuid?.() !== 0) return t.skip("only root can be another user");
    /** Connects as somebody else. */
    const visit = () =>
      program(
        `
        process.setuid(65534);
        const socket = (globalThis.socket = new Subscriber()); // no garbage
        for (const type of ["handshake", "connect:retry"]) {
          socket.events.on(type, () => {
            console.log(type);
            process.exit();
          });
        }
        socket.connect(endpoint);`,
        `ipc://${path}`,
      );
    await visit().stdout.next("connect:retry");
    chmodSync(path, 0o777);
    await visit().stdout.next("handshake");
  },
);

/** Starts camera 2, which connects to a path in a temporary folder. */
const startCamera = (folder: string) =>
  startProgram(process.execPath, ["--import", "tsx", "waynes-world/camera2.ts"], {
    env: { TMPDIR: folder, TEMP: folder },
  });

test(
  "`No server at ENDPOINT: trying again`: The two IPC paths differ",
  { skip: notOnWindows },
  async () => {
    const folder = temporaryFolder();
    await publish(`ipc://${folder}/waynes-world.ipc`);
    const camera = startCamera(temporaryFolder());
    await camera.stderr.next(/^No server at ipc:.*waynes-world\.ipc: trying again$/);
    assert.equal(await meet(`ipc://${folder}/waynes-world.ipc`), "handshake");

    const relative = program(
      `
      const publisher = new Publisher();
      process.chdir(endpoint);
      await publisher.bind("ipc://relative.ipc");
      const meet = async (folder) => {
        process.chdir(folder);
        const socket = new Subscriber();
        const first = new Promise((next) => {
          for (const type of ["handshake", "connect:retry"]) socket.events.on(type, next);
        });
        socket.connect("ipc://relative.ipc");
        console.log((await first).type);
        socket.close();
      };
      await meet("/");
      await meet(endpoint);
      process.exit();`,
      folder,
    );
    await relative.stdout.next("connect:retry");
    await relative.stdout.next("handshake");
  },
);

test("A client prints nothing: The types of the sockets do not fit", async () => {
  const push = new Push();
  const endpoint = await bind(push);
  await assertGivesUp(new Subscriber(), endpoint, "disconnect");
  const pull = connect(new Pull(), endpoint);
  await push.send("a job");
  assert.equal(String(await pull.receive()), "a job");

  const blind = open(new Push());
  await blind.bind("inproc://types");
  connect(new Subscriber(), "inproc://types");
  await blind.send("no type is checked");
});

test("A client prints nothing: Only one end has keys", async () => {
  const locked = await bind(new Publisher(curveServer));
  const unlocked = await bind(new Publisher());
  assert.equal(await meet(locked), "handshake:error:protocol");
  assert.equal(await meet(unlocked, curveClient), "handshake:error:protocol");
  await assertGivesUp(new Subscriber(), locked, "disconnect");
  assert.equal(await meet(locked, curveClient), "handshake");
  assert.equal(await meet(unlocked), "handshake");
});

const DOOR = "inproc://zeromq.zap.01";

/** Answers each question of ZeroMQ's whether to let a client in, until it throws. */
async function keepDoor(doorkeeper: Reply, getStatus: (frames: Buffer[]) => string) {
  await open(doorkeeper).bind(DOOR);
  const keep = async () => {
    for await (const frames of doorkeeper) {
      const [version, id] = frames;
      await doorkeeper.send([version, id, getStatus(frames), "", "", ""]);
    }
  };
  return { kept: keep().catch(String) };
}

test("A client prints nothing: The doorkeeper refuses the client", async () => {
  let isOpen = false;
  await keepDoor(new Reply(), ([, , , , , mechanism, , password]) => {
    if (String(mechanism) === "PLAIN") isOpen = String(password) === "right";
    return isOpen ? "200" : "400";
  });
  const endpoint = await bind(new Publisher({ ...curveServer, zapDomain: "friends" }));
  assert.equal(await meet(endpoint, curveClient), "handshake:error:auth");
  await assertGivesUp(new Subscriber(curveClient), endpoint, "disconnect");
  isOpen = true;
  assert.equal(await meet(endpoint, curveClient), "handshake");

  const plain = await bind(new Publisher({ plainServer: true, zapDomain: "friends" }));
  const user = { plainUsername: "somebody", plainPassword: "wrong" };
  assert.equal(await meet(plain, user), "handshake:error:auth");
  assert.equal(await meet(plain, { ...user, plainPassword: "right" }), "handshake");
});

test("A client prints nothing: A message is larger than the client takes", async () => {
  const push = new Push();
  const endpoint = await bind(push);
  const tooLong = Buffer.alloc(1001);
  const joined = event(push, "handshake");
  const naive = new Pull({ maxMessageSize: 1000 });
  const given = assertGivesUp(naive, endpoint, "disconnect");
  await joined;
  await push.send("one");
  await push.send(tooLong);
  assert.equal(String(await naive.receive()), "one");
  await given;
  naive.close();

  const wise = open(new Pull({ maxMessageSize: 1000 }));
  wise.events.on("disconnect", () => {
    if (wise.closed) return;
    wise.disconnect(endpoint);
    wise.connect(endpoint);
  });
  for (const type of ["disconnect", "handshake"] as const) {
    const next = event(push, "handshake");
    if (type === "disconnect") wise.connect(endpoint);
    else await push.send(tooLong);
    await next;
  }
  await push.send("two");
  assert.equal(String(await wise.receive()), "two");
});

test("A client prints nothing: Its `reconnectInterval` is 0", async () => {
  const endpoint = await tcpEndpoint();
  for (const reconnectInterval of [0, Number(undefined)]) {
    await assertGivesUp(new Pull({ reconnectInterval }), endpoint, "close");
  }
});

test("A client prints nothing: It has not subscribed", async () => {
  const publisher = new XPublisher({ verbosity: "allSubs" });
  const endpoint = await bind(publisher);
  const other = await subscribe(publisher, endpoint);
  const deaf = open(new Subscriber());
  const joined = event(deaf, "handshake");
  deaf.connect(endpoint);
  await joined;
  const received = deaf.receive();
  await publisher.send("one");
  assert.equal(await comesFirst(received, other.receive()), false);

  deaf.subscribe();
  await publisher.receive();
  await publisher.send("two");
  assert.equal(String(await received), "two");
});

/** Whether a port takes a connection. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const connection = net.connect(port, "127.0.0.1", () => resolve(true));
    connection.on("error", (error) =>
      /ECONN(REFUSED|RESET)/.test(error.message) ? resolve(false) : reject(error),
    );
    connection.unref();
  });
}

test("A client prints nothing: The connection hangs", async () => {
  const silent = await freePort();
  const server = net.createServer((connection) => connection.unref()).unref();
  await once(server.listen(silent, "127.0.0.1"), "listening");
  const ports = [silent];
  if (linux) {
    // Two connections fill its backlog: then packets are dropped, as by a firewall.
    const full = await freePort();
    const stuck = program(
      `
      createServer().listen(endpoint, "127.0.0.1", 1, () => {
        console.log("listening");
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      });`,
      `${full}`,
    );
    await stuck.stdout.next("listening");
    assert.ok((await listens(full)) && (await listens(full)));
    ports.push(full);
  }
  for (const port of ports) {
    const endpoint = `tcp://127.0.0.1:${port}`;
    const retry = (options: object) =>
      event(connect(new Subscriber(options), endpoint), "connect:retry");
    const wary = { connectTimeout: 300, handshakeInterval: 300 };
    const first = Promise.race([retry({}).then(() => "naive"), retry(wary).then(() => "wise")]);
    assert.equal(await first, "wise");
  }
});

test("A client prints nothing: The doorkeeper does not answer", async () => {
  const doorkeeper = new Reply();
  const { kept } = await keepDoor(doorkeeper, () => {
    throw new Error("a bug");
  });
  const endpoint = await bind(
    new Publisher({ ...curveServer, zapDomain: "friends", zapEnforceDomain: true }),
  );
  const client = open(new Subscriber(curveClient));
  const types = ["connect:retry", "handshake"] as const;
  const first = Promise.race(types.map((type) => event(client, type)));
  client.connect(endpoint);
  assert.equal(await kept, "Error: a bug");
  assert.equal(await comesFirst(first, meet(await bind(new Publisher()))), false);
  await doorkeeper.unbind(DOOR);
  await keepDoor(new Reply(), () => "200");
  assert.equal(await meet(endpoint, curveClient), "handshake");
});

const inUse = { code: "EADDRINUSE", message: "Address already in use" };

test("`Address already in use` (EADDRINUSE): Another process listens there", async () => {
  const endpoint = await tcpEndpoint();
  const first = await publish(endpoint);
  const second = startScript("eventloop/server.ts", endpoint);
  await second.stderr.next("[Error: Address already in use] {");
  await second.stderr.next(`  address: '${endpoint}'`);
  assert.equal(await second.exitStatus(), 1);
  await close(first);
  await publish(endpoint);
});

test(
  "`Address already in use` (EADDRINUSE): Your own `close()` came just before",
  { skip: notOnWindows },
  async () => {
    const nobody = await tcpEndpoint();
    /** Frees an endpoint in one way or another, and binds it at once. */
    const rebind = async (free: (socket: Push, endpoint: string) => unknown) => {
      const push = new Push();
      const endpoint = await bind(push);
      // Work for ZeroMQ's thread, which frees the port when it gets to that.
      const busy = open(new Push());
      for (let n = 0; n < 100; n++) busy.connect(nobody);
      await free(push, endpoint);
      const bound = open(new Push()).bind(endpoint);
      return bound.then(
        () => undefined,
        (error) => error.code,
      );
    };
    for (const free of [
      (socket: Push) => socket.close(),
      (socket: Push, endpoint: string) => socket.unbind(endpoint),
    ]) {
      // A busy machine may take its time, just here.
      while ((await rebind(free)) !== "EADDRINUSE");
    }
    for (let n = 0; n < 10; n++) assert.equal(await rebind((socket) => close(socket)), undefined);
  },
);

test("`Address already in use` (EADDRINUSE): A module was loaded again", async () => {
  const module = join(project(), "server.mjs");
  const url = pathToFileURL(module);
  const load = (socket: string) => {
    writeFileSync(
      module,
      `
      import { Reply } from "zeromq";
      async function listen() {
        const socket = new Reply();
        await socket.bind("${endpoint}");
        return socket;
      }
      export const socket = ${socket};`,
    );
    return program(`
      const loads = [import("${url}?1"), import("${url}?2")];
      const [one, other] = await Promise.all(loads);
      console.log("the same: " + (one.socket === other.socket));`);
  };
  const endpoint = await tcpEndpoint();
  const naive = load("await listen()");
  await naive.stderr.next(/Address already in use/);
  await naive.exitStatus();
  const wise = load("await (globalThis.server ??= listen())");
  await wise.stdout.next("the same: true");
});

/** Starts a server in each of two workers of a cluster, and asks a while. */
async function startCluster(goOn: string, workers: string, primary = "") {
  const endpoint = await tcpEndpoint();
  const exec = join(project(), "worker.mjs");
  writeFileSync(
    exec,
    `
    import cluster from "node:cluster";
    import { Reply } from "zeromq";
    const [, , endpoint, backEnd] = process.argv;
    const socket = new Reply();
    ${workers}
    process.send("ready");
    for await (const _ of socket) await socket.send("" + cluster.worker.id);`,
  );
  const args = [endpoint, await tcpEndpoint()];
  return program(
    `
    import cluster from "node:cluster";
    import { Dealer, Proxy, Request, Router } from "zeromq";
    const [, , backEnd] = process.argv;
    ${primary}
    const exec = ${JSON.stringify(exec)};
    cluster.setupPrimary({ exec, args: [endpoint, backEnd], execArgv: [] });
    for (let n = 0; n < 2; n++) {
      const worker = cluster.fork();
      await Promise.race([once(worker, "message"), once(worker, "exit")]);
    }
    const answers = new Set();
    for (let n = 0; ${goOn}; n++) {
      const socket = new Request();
      socket.connect(endpoint);
      await socket.send("");
      answers.add(String(await socket.receive()));
    }
    console.log("answered by " + [...answers].sort().join(" and "));
    process.exit();`,
    ...args,
  );
}

test("`Address already in use` (EADDRINUSE): Each worker of a cluster binds", async () => {
  const bindAll = "await socket.bind(endpoint);";
  const naive = await startCluster("n < 4", bindAll);
  await naive.stderr.next("[Error: Address already in use] {");
  await naive.stdout.next("answered by 1");

  const proxy = `const proxy = new Proxy(new Router(), new Dealer());
    await proxy.frontEnd.bind(endpoint);
    await proxy.backEnd.bind(backEnd);
    proxy.run();`;
  const connectAll = "socket.connect(backEnd);";
  const wise = await startCluster("answers.size < 2", connectAll, proxy);
  await wise.stdout.next("answered by 1 and 2");
});

/** Binds an IPC path in a folder of a mode, as a user who is not root. */
function listenIn(folder: string, mode: number) {
  chmodSync(folder, mode);
  return program(
    `
    if (process.getuid() === 0) process.setuid(65534); // root may do anything
    const socket = new Reply();
    await socket.bind(endpoint);
    console.log("bound");
    process.exit();`,
    `ipc://${folder}/1.ipc`,
  );
}

test(
  "`Address already in use` (EADDRINUSE): At an IPC path, a folder is in the way",
  { skip: notOnWindows },
  async () => {
    const folder = temporaryFolder();
    await assert.rejects(open(new Push()).bind(`ipc://${folder}`), inUse);
    writeFileSync(join(folder, "1.ipc"), "");
    const naive = listenIn(folder, 0o555);
    await naive.stderr.next("[Error: Address already in use] {");
    await naive.exitStatus();
    await listenIn(folder, 0o777).stdout.next("bound");
  },
);

test("`Address already in use` (EADDRINUSE): At `inproc://zeromq.zap.01`, a second doorkeeper binds", async () => {
  const domains: string[] = [];
  const serve = async (zapDomain: string, context?: Context) => {
    const server = new Publisher({ ...curveServer, ...(context && { context }), zapDomain });
    assert.equal(await meet(await bind(server), curveClient), "handshake");
  };
  const getStatus = ([, , domain]: Buffer[]) => {
    domains.push(String(domain));
    return "200";
  };
  const doorkeeper = new Reply();
  await keepDoor(doorkeeper, getStatus);
  for (const domain of ["one", "another"]) await serve(domain);
  assert.deepEqual(domains, ["one", "another"]);

  await assert.rejects(keepDoor(new Reply(), getStatus), inUse);
  const context = new Context();
  await keepDoor(new Reply({ context }), getStatus);
  await serve("a third", context);
  assert.equal(domains.pop(), "a third");
  await doorkeeper.unbind(DOOR);
  await keepDoor(new Reply(), getStatus);
});

test("`Address already in use` (EADDRINUSE): `unbindSync()` throws it", async () => {
  const push = new Push();
  const endpoint = await bind(push);
  assert.throws(() => push.unbindSync(endpoint), inUse);
  const other = new Push();
  await other.unbind(await bind(other));
});

test(
  "new clients of an IPC server get no answer from it; or a file is gone after `bind()`",
  { skip: notOnWindows },
  async () => {
    /** Who gets a request, after a second server has tried to bind. */
    const ask = async (first: Reply, endpoint: string) => {
      const second = open(new Reply());
      const took = await second.bind(endpoint).then(
        () => "bound",
        () => "in use",
      );
      await connect(new Request(), endpoint).send("hello");
      const asked = [first, second].map((server, n) =>
        server.receive().then(
          () => n,
          () => n,
        ),
      );
      return [took, await Promise.race(asked)];
    };
    const replies = [open(new Reply()), open(new Reply())];
    const path = ipcEndpoint();
    writeFileSync(path.replace("ipc://", ""), "{}");
    await replies[0].bind(path);
    assert.ok(!statSync(path.replace("ipc://", "")).isFile());
    assert.deepEqual(await ask(replies[0], path), ["bound", 1]);
    const endpoint = await bind(replies[1]);
    assert.deepEqual(await ask(replies[1], endpoint), ["in use", 0]);
  },
);

test("`Permission denied`, `File name too long`", { skip: notOnWindows }, async () => {
  const folder = temporaryFolder();
  const naive = listenIn(folder, 0o555);
  await naive.stderr.next("[Error: Permission denied] {");
  await naive.exitStatus();
  await listenIn(folder, 0o777).stdout.next("bound");

  const path = (length: number) => join(folder, "x".repeat(length - folder.length - 1));
  await assert.rejects(publish(`ipc://${path(108)}`), { message: "File name too long" });
  await publish(`ipc://${path(107)}`);
});

const invalid = { code: "EINVAL", message: "Invalid argument" };

test("`Invalid argument`, `Protocol not supported`, from `bind()` or `connect()`", async () => {
  const port = await freePort();
  const host = "tcp://127.0.0.1";
  for (const endpoint of [`127.0.0.1:${port}`, host, `${host}:undefined`]) {
    await assert.rejects(publish(endpoint), invalid);
  }
  for (const scheme of ["http", "TCP", " tcp", "pgm"]) {
    const wrong = `${scheme}://127.0.0.1:${port}`;
    await assert.rejects(publish(wrong), { message: "Protocol not supported" });
  }
  const subscriber = open(new Subscriber());
  for (const end of ["/", "/path", " "]) {
    assert.throws(() => subscriber.connect(`${host}:${port}${end}`), invalid);
  }
  assert.throws(() => subscriber.connect(`tcp://*:${port}`), invalid);
  await publish(`tcp://*:${port}`);
  assert.equal(await meet(`${host}:${port}`), "handshake");
});

test("`No such device`, `Cannot assign requested address`, from `bind()`", async () => {
  const port = await freePort();
  for (const host of ["no-such-name.invalid", "[::1]"]) {
    await assert.rejects(publish(`tcp://${host}:${port}`), {
      code: "ENODEV",
      message: "No such device",
    });
  }
  const elsewhere = publish(`tcp://192.0.2.1:${port}`); // nobody has it
  await assert.rejects(elsewhere, { code: "EADDRNOTAVAIL" });
  await publish(`tcp://0.0.0.0:${port}`);
});

test("`No such endpoint`", async () => {
  const error = { code: "ENOENT", message: "No such endpoint" };
  const socket = open(new Pull());
  const endpoint = await tcpEndpoint();
  assert.throws(() => socket.disconnect(endpoint), error);
  socket.connect(endpoint);
  socket.disconnect(endpoint);
  const everywhere = `tcp://*:${await freePort()}`;
  await socket.bind(everywhere);
  const bound = socket.lastEndpoint ?? "";
  await assert.rejects(socket.unbind(everywhere), error);
  await socket.unbind(bound);
  if (notOnWindows) return;
  const folder = join(temporaryFolder(), "none");
  await assert.rejects(publish(`ipc://${folder}/1.ipc`), error);
  mkdirSync(folder);
  await publish(`ipc://${folder}/1.ipc`);
});

test("a server listens at another port than the one you wrote", async () => {
  const port = await freePort();
  const publisher = await publish(`tcp://127.0.0.1:${port + 65536}`);
  assert.equal(publisher.lastEndpoint, `tcp://127.0.0.1:${port}`);
  await publisher.bind(`tcp://127.0.0.1:${await freePort()}x`);
  assert.match(publisher.lastEndpoint ?? "", /:\d+$/);
});

test("a server or a subscriber stops after a while", async () => {
  const listen = async (later: string) => {
    const port = await freePort();
    const server = program(
      `
      const socket = new Publisher();
      await socket.bind("tcp://127.0.0.1:" + endpoint);
      setInterval(() => { gc(); console.log("collected"); ${later} }, 20);`,
      `${port}`,
    );
    await server.stdout.next("collected");
    return { port, server };
  };
  const idle = await listen("");
  while (await listens(idle.port)) await setTimeout(20);
  const used = await listen("socket.send('news');");
  await used.server.stdout.next("collected", 20);
  assert.ok(await listens(used.port));
});

test("`inproc://` passes nothing", async () => {
  const push = open(new Push());
  await push.bind("inproc://contexts");
  const elsewhere = connect(new Pull({ context: new Context() }), "inproc://contexts");
  const pull = connect(new Pull(), "inproc://contexts");
  for (let n = 0; n < 2; n++) await push.send("hello");
  const received = pull.receive().then(() => pull.receive());
  assert.equal(await comesFirst(elsewhere.receive(), received), false);

  // A package in node_modules may bring a copy of its own.
  const folder = project();
  copyZeromq(folder);
  const copy = join(folder, "copy.mjs");
  writeFileSync(copy, 'export { Pull } from "zeromq";');
  const copies = program(`
    const copy = await import("${pathToFileURL(copy)}");
    const push = new Push({ sendTimeout: 0 });
    await push.bind("inproc://copies");
    new copy.Pull().connect("inproc://copies");
    console.log(copy.Pull !== Pull, await push.send("hello").catch(({ code }) => code));
    process.exit();`);
  await copies.stdout.next("true EAGAIN");
});

test("every other request times out; every other job is missing", async () => {
  for (const immediate of [false, true]) {
    const pull = new Pull();
    const push = open(new Push({ immediate }));
    const joined = event(push, "handshake");
    for (const endpoint of [await tcpEndpoint(), await bind(pull)]) push.connect(endpoint);
    await joined;
    for (let n = 0; n < 8; n++) await push.send(`${n}`);
    const [first, second] = [await pull.receive(), await pull.receive()];
    assert.equal(Number(second) - Number(first), immediate ? 1 : 2);
  }

  /** What comes first to the next worker, when one that took nothing has left. */
  const replace = async (immediate: boolean) => {
    const slow = new Pull({ receiveHighWaterMark: 1 });
    const push = open(new Push({ immediate }));
    const endpoint = await bind(slow);
    const joined = event(push, "handshake");
    push.connect(endpoint);
    await joined;
    for (let n = 0; n < 500; n++) await push.send(["queued", Buffer.alloc(10_000)]);
    await close(slow);
    const back = event(push, "handshake");
    const next = open(new Pull());
    await next.bind(endpoint);
    await back;
    await push.send("sent now");
    return String((await next.receive())[0]);
  };
  assert.equal(await replace(false), "queued");
  assert.equal(await replace(true), "sent now");
});

test("a subscriber or a worker falls silent, and no event comes", async () => {
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

  /** Sends what a slow cable takes a while for: pieces of at most 64 kB, for 20 ms each. */
  const transfer = async (options: object) => {
    const push = new Push();
    const moment = new Int32Array(new SharedArrayBuffer(4));
    const slow = await layCable(await bind(push), () => void Atomics.wait(moment, 0, 0, 20));
    const pull = open(new Pull({ heartbeatInterval: 50, ...options }));
    const cut = event(pull, "disconnect").then(() => "cut");
    pull.connect(slow.endpoint);
    await push.send(Buffer.alloc(500_000));
    return Promise.race([cut, pull.receive().then(([frame]) => frame.length)]);
  };
  assert.equal(await transfer({}), "cut");
  assert.equal(await transfer({ heartbeatTimeout: TIMEOUT }), 500_000);
});

/** Notes a socket's events as they come. */
function note(socket: Socket) {
  const types: string[] = [];
  for (const type of ["accept", "connect", "handshake", "disconnect"] as const) {
    socket.events.on(type, () => types.push(type));
  }
  return types;
}

test("how do I see whether it is connected? the events do not come; `emitter.once is not a function`", async () => {
  const endpoint = await tcpEndpoint();
  const pull = open(new Pull());
  const seen = note(pull);
  const retried = event(pull, "connect:retry");
  pull.connect(endpoint); // returns, though nobody is there
  await retried;
  assert.deepEqual(seen, []);

  const push = open(new Push());
  const seenByServer = note(push);
  const [met, joined] = [event(pull, "handshake"), event(push, "handshake")];
  await push.bind(endpoint);
  await Promise.all([met, joined]);
  assert.deepEqual(seen, ["connect", "handshake"]);
  const late = note(pull);
  const gone = event(pull, "disconnect");
  push.close();
  await gone;
  assert.deepEqual(late, ["disconnect"]);
  assert.deepEqual(seenByServer, ["accept", "handshake"]);

  // As JavaScript has it: TypeScript refuses both.
  const naive = program(`
    const { events } = new Pull();
    events.on("hanshake", () => {});
    console.log("not noticed");
    await once(events, "handshake");`);
  await naive.stdout.next("not noticed");
  await naive.stderr.next(/is not a function/);
});

test("a process ends with the error of a listener of `socket.events`", async () => {
  const listen = (listener: string) =>
    program(
      `
      globalThis.socket = new Pull({ reconnectInterval: 10 }); // no garbage
      let count = 0;
      socket.events.on("connect:retry", () => {
        console.log("event " + ++count);
        ${listener}
      });
      socket.connect(endpoint);`,
      "tcp://127.0.0.1:1",
    );
  const bug = 'throw new Error("a bug");';
  const naive = listen(bug);
  const caught = listen(`process.on("unhandledRejection", () => console.log("caught")); ${bug}`);
  const wise = listen(`try { ${bug} } catch {}`);
  await naive.stderr.next("Error: a bug");
  assert.equal(await naive.exitStatus(), 1);
  await caught.stdout.next("caught");
  await wise.stdout.next("event 10");
  assert.deepEqual(caught.stdout.all, ["event 1", "caught"]);
});

test("`Socket option will not take effect until next connect/bind`; a `receiveTimeout` does nothing", async () => {
  const receive = (options: string, late = "") =>
    program(`
    const [pull, push] = [new Pull(${options}), new Push()];
    await pull.bind("tcp://127.0.0.1:*");
    ${late}
    pull.events.on("disconnect", () => {
      console.log("refused");
      process.exit();
    });
    push.connect(pull.lastEndpoint);
    await push.send("x".repeat(1001));
    console.log("received " + (await pull.receive())[0].length);
    setImmediate(() => process.exit()); // after the warning`);
  const naive = receive("", "pull.maxMessageSize = 1000;");
  const wise = receive("{ maxMessageSize: 1000 }");
  await naive.stderr.next(/Socket option will not take effect until next connect/);
  await naive.stdout.next("received 1001");
  await wise.stdout.next("refused");
  assert.deepEqual(wise.stderr.all, []);

  const [late, early] = [open(new Pull()), open(new Pull({ receiveTimeout: 20 }))];
  const waiting = late.receive();
  late.receiveTimeout = 1;
  const rejected = (promise: Promise<unknown>) => promise.catch(({ code }) => code);
  assert.equal(await comesFirst(rejected(waiting), rejected(early.receive())), false);
});

test("`Cannot add property rcvtimeo, object is not extensible`", async () => {
  const why = /^TypeError: Cannot add property \w+, object is not extensible/;
  const options = { rcvtimeo: 5 };
  const naive = program(`new Pull(${JSON.stringify(options)});`);
  await naive.stderr.next(why);
  assert.equal(await naive.exitStatus(), 1);
  const pull = open(new Pull());
  assert.throws(() => Object.assign(pull, { owner: "me" }), why);
});

test(
  "`Segmentation fault` (status 139) when a process ends; or `Waiting for queued ZeroMQ messages`, and nothing is queued",
  { skip: notOnWindows },
  async () => {
    const caught = "try { new Pull({ rcvtimeo: 5 }); } catch {}";
    const another = `${caught} new Push().close();`;
    const unblocked = `
      const { context } = await import("zeromq");
      context.blocky = false;
      ${another}`;
    const naive = [caught, another, unblocked].map((code) => program(code));
    const checked = program(`
      const options = { rcvtimeo: 5 };
      if ("rcvtimeo" in Pull.prototype) new Pull(options);`);
    assert.equal(await checked.exitStatus(), 0);
    // Which of the two it is may differ from run to run.
    for (const { stderr, ended } of naive) {
      const waits = stderr.next(/Waiting for queued ZeroMQ messages/).catch(() => ended);
      assert.match(String(await Promise.race([ended, waits])), /^SIGSEGV$|Waiting/);
    }
  },
);

/** Makes a socket with each of some options, in a process: what becomes of them. */
async function makeEach(socket: string, options: string[]) {
  // It ends before what was caught could end it.
  const { exitStatus, stdout } = program(`
    import { writeSync } from "node:fs";
    for (const make of [${options.map((option) => `() => new ${socket}(${option})`)}]) {
      try {
        make();
        writeSync(1, "made\\n");
      } catch (error) {
        writeSync(1, error + "\\n");
      }
    }
    process.kill(process.pid, "SIGKILL");`);
  await exitStatus();
  return stdout.all;
}

test("`Option value must be a number`, `… a boolean`; or a timeout has passed at once", async () => {
  const [noNumber, noBoolean, wise] = await makeEach("Push", [
    "{ linger: process.env.NO_SUCH_VARIABLE }",
    "{ immediate: process.env.NO_SUCH_VARIABLE }",
    '{ linger: Number(process.env.NO_SUCH ?? 2), immediate: process.env.NO_SUCH === "true" }',
  ]);
  assert.equal(noNumber, "TypeError: Option value must be a number");
  assert.equal(noBoolean, "TypeError: Option value must be a boolean");
  assert.equal(wise, "made");

  const zero = Number(undefined);
  const { receiveTimeout, receiveHighWaterMark, maxMessageSize } = open(
    new Pull({ receiveTimeout: zero, receiveHighWaterMark: zero, maxMessageSize: zero }),
  );
  assert.deepEqual(
    { receiveTimeout, receiveHighWaterMark, maxMessageSize },
    {
      receiveTimeout: 0,
      receiveHighWaterMark: 0,
      maxMessageSize: 0,
    },
  );
  await assert.rejects(open(new Pull({ receiveTimeout: zero })).receive(), timedOut);
});

test("`Option value must be a string or buffer`", async () => {
  const why = { message: "Option value must be a string or buffer" };
  const key = (value: string) => `{ curveServer: true, curveSecretKey: ${value} }`;
  const [naive, wise] = await makeEach("Reply", [
    key("process.env.NO_SUCH_KEY"),
    key(JSON.stringify(serverKeys.secretKey)),
  ]);
  assert.equal(naive, `TypeError: ${why.message}`);
  assert.equal(wise, "made");
  const socket = open(new Subscriber());
  for (const topic of [["a", "b"], 7]) {
    // As JavaScript has it.
    assert.throws(() => Reflect.apply(socket.subscribe, socket, [topic]), why);
  }
  socket.subscribe("a", "b", String(7));
});

test("`Invalid argument`, from `new`", async () => {
  const { secretKey } = serverKeys;
  const key = (curveSecretKey: string) => JSON.stringify({ curveSecretKey });
  const wrong = [
    key(secretKey.slice(0, 36)),
    key(`'${secretKey}'`),
    "{ receiveTimeout: -5 }",
    '{ routingId: "" }',
  ];
  const made = await makeEach("Reply", [...wrong, key(secretKey)]);
  assert.deepEqual(made, [...wrong.map(() => "Error: Invalid argument"), "made"]);
});

test("a server with keys lets everybody in", async () => {
  const zapDomain = "friends";
  const zapEnforceDomain = true;
  for (const careless of [{ zapDomain }, { zapEnforceDomain }]) {
    const endpoint = await bind(new Publisher({ ...curveServer, ...careless }));
    assert.equal(await meet(endpoint, curveClient), "handshake");
  }
  const endpoint = await bind(new Publisher({ ...curveServer, zapDomain, zapEnforceDomain }));
  const hasty = { ...curveClient, handshakeInterval: 200 };
  assert.equal(await meet(endpoint, hasty), "connect:retry");
});
