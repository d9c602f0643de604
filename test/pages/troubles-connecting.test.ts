// docs/troubleshooting.md: connecting, whether one is connected, and options.
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import {
  curveKeyPair,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  type Socket,
  Subscriber,
} from "zeromq";
import { startProgram, startServer, startScript } from "../../tools/child.ts";
import { freePort, ipcEndpoint, tcpEndpoint, temporaryFolder } from "../../tools/endpoints.ts";
import { bind, close, connect, event, open, outsideAddress, program, project } from "../support.ts";

const linux = process.platform === "linux";
const windows = process.platform === "win32";

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

test("`No server at …`", async () => {
  const endpoint = await tcpEndpoint();
  const client = startScript("eventloop/client.ts", endpoint);
  await client.stderr.next(`No server at ${endpoint}: trying again`);
  await startServer("eventloop/server.ts", endpoint);
  assert.equal(await client.exitStatus(), 0);
});

test(
  "`No server at …`, and it runs, in a container or on another machine",
  { skip: !outsideAddress && "no other address" },
  async () => {
    const port = await freePort();
    const inside = await publish(`tcp://127.0.0.1:${port}`);
    assert.equal(await meet(`tcp://${outsideAddress}:${port}`), "connect:retry");
    await close(inside);
    await publish(`tcp://0.0.0.0:${port}`);
    assert.equal(await meet(`tcp://${outsideAddress}:${port}`), "handshake");
  },
);

test(
  "`No server at tcp://127.0.0.1:…`, and it runs, bound to the machine's name",
  { skip: !linux },
  async () => {
    const port = await freePort();
    await publish(`tcp://127.0.1.1:${port}`); // what /etc/hosts may say of a name
    assert.equal(await meet(`tcp://127.0.0.1:${port}`), "connect:retry");
    assert.equal(await meet(`tcp://127.0.1.1:${port}`), "handshake");
  },
);

test("`No server at …`, and something listens there", async () => {
  const port = await freePort();
  const web = net.createServer((peer) => peer.destroy());
  await once(web.listen(port, "127.0.0.1"), "listening");
  assert.equal(await meet(`tcp://127.0.0.1:${port}`), "connect:retry");
  await new Promise((closed) => web.close(closed));
  await publish(`tcp://127.0.0.1:${port}`);
  assert.equal(await meet(`tcp://127.0.0.1:${port}`), "handshake");
});

const [serverKeys, clientKeys] = [curveKeyPair(), curveKeyPair()];
const curveServer = { curveServer: true, curveSecretKey: serverKeys.secretKey };
const curveClient = {
  curveServerKey: serverKeys.publicKey,
  curvePublicKey: clientKeys.publicKey,
  curveSecretKey: clientKeys.secretKey,
};

test("`No server at …`, and it runs, with keys", async () => {
  const endpoint = await tcpEndpoint();
  await publish(endpoint, curveServer);
  const wrong = { ...curveClient, curveServerKey: clientKeys.publicKey };
  assert.equal(await meet(endpoint, wrong), "connect:retry");
  assert.equal(await meet(endpoint, curveClient), "handshake");
});

test("a client prints nothing, and only one end has keys", async () => {
  const endpoints = [await tcpEndpoint(), await tcpEndpoint()];
  await publish(endpoints[0], curveServer);
  await publish(endpoints[1]);
  assert.equal(await meet(endpoints[0]), "handshake:error:protocol");
  assert.equal(await meet(endpoints[1], curveClient), "handshake:error:protocol");
  assert.equal(await meet(endpoints[0], curveClient), "handshake");
  assert.equal(await meet(endpoints[1]), "handshake");
});

test("a client prints nothing, and both ends have keys", async () => {
  let verdict = "400";
  const doorkeeper = open(new Reply());
  await doorkeeper.bind("inproc://zeromq.zap.01");
  const keepDoor = async () => {
    for await (const [version, id] of doorkeeper) {
      await doorkeeper.send([version, id, verdict, "", "", ""]);
    }
  };
  keepDoor();
  const endpoint = await tcpEndpoint();
  await publish(endpoint, { ...curveServer, zapDomain: "friends" });
  assert.equal(await meet(endpoint, curveClient), "handshake:error:auth");
  verdict = "200";
  assert.equal(await meet(endpoint, curveClient), "handshake");
});

test("`No server at ipc://…`, and it runs as another user", { skip: windows }, async () => {
  const mode = async () => {
    const endpoint = ipcEndpoint();
    await publish(endpoint);
    return statSync(endpoint.replace("ipc://", "")).mode & 0o777;
  };
  const before = process.umask(0o022);
  assert.equal(await mode(), 0o755); // others may not write, that is, connect
  process.umask(0);
  assert.equal(await mode(), 0o777);
  process.umask(before);
});

/** Starts camera 2, which connects to a path in a temporary folder. */
const startCamera = (folder: string) =>
  startProgram(process.execPath, ["--import", "tsx", "waynes-world/camera2.ts"], {
    env: { TMPDIR: folder, TEMP: folder },
  });

test("`No server at ipc://…`, and it runs with another `TMPDIR`", { skip: windows }, async () => {
  const folder = temporaryFolder();
  const publisher = await publish(`ipc://${folder}/waynes-world.ipc`);
  const naive = startCamera(temporaryFolder());
  await naive.stderr.next(/^No server at ipc:.*waynes-world\.ipc: trying again$/);
  const seen = event(publisher, "accept");
  const wise = startCamera(folder);
  await seen;
  assert.deepEqual(wise.stderr.all, []);
});

test("a client prints nothing, not even `No server at …`", async () => {
  const silent = await freePort();
  const server = net.createServer((connection) => connection.unref()).unref();
  await once(server.listen(silent, "127.0.0.1"), "listening");
  const ports = [silent];
  if (linux) {
    // Two connections fill its backlog: then packets are dropped, as by a
    // firewall.
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
    const wary = { connectTimeout: 500, handshakeInterval: 500 };
    const first = Promise.race([retry({}).then(() => "naive"), retry(wary).then(() => "wise")]);
    assert.equal(await first, "wise");
  }
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

const inUse = { code: "EADDRINUSE", message: "Address already in use" };

test("`Address already in use`", async () => {
  const endpoint = await tcpEndpoint();
  const first = await publish(endpoint);
  const second = startScript("eventloop/server.ts", endpoint);
  await second.stderr.next("[Error: Address already in use] {");
  await second.stderr.next(`  address: '${endpoint}'`);
  assert.equal(await second.exitStatus(), 1);
  await close(first);
  await startServer("eventloop/server.ts", endpoint);
});

test(
  "`Address already in use`, right after your own `close()`",
  { skip: windows && "not seen on Windows" },
  async () => {
    const megabyte = Buffer.alloc(1_000_000);
    /** Binds a socket, and closes it, so many times. */
    const repeat = async (times: number, end: (socket: Push) => unknown) => {
      const endpoint = await tcpEndpoint();
      for (let time = 0; time < times; time++) {
        const push = open(new Push());
        await push.bind(endpoint);
        const pull = connect(new Pull(), endpoint);
        // Work for ZeroMQ's thread, which frees the port when it gets to that.
        for (let n = 0; n < 20; n++) await push.send(megabyte);
        await end(push);
        pull.close();
      }
    };
    await assert.rejects(
      repeat(1000, (socket) => socket.close()),
      inUse,
    );
    await repeat(20, close);
  },
);

test("`Address already in use`, when a module is loaded again (hot reload)", async () => {
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
      const { socket } = await import("${url}?1");
      const again = await import("${url}?2");
      console.log("the same: " + (socket === again.socket));`);
  };
  const endpoint = await tcpEndpoint();
  await load("await listen()").stderr.next(/Address already in use/);
  const wise = load("(globalThis.server ??= await listen())");
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

test("`Address already in use`, in all workers of a cluster but one (`pm2 -i`)", async () => {
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

test("new clients of an IPC server get no answer from it", { skip: windows }, async () => {
  const ask = async (first: Reply, endpoint: string) => {
    const second = open(new Reply());
    const bound = second.bind(endpoint).then(
      () => "bound",
      () => "in use",
    );
    const took = await bound;
    const socket = connect(new Request(), endpoint);
    await socket.send("hello");
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
  await replies[0].bind(path);
  assert.deepEqual(await ask(replies[0], path), ["bound", 1]);
  const endpoint = await bind(replies[1]);
  assert.deepEqual(await ask(replies[1], endpoint), ["in use", 0]);
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

test("`Address already in use` at an IPC path, and nobody listens", { skip: windows }, async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "1.ipc"), "");
  const naive = listenIn(folder, 0o555);
  await naive.stderr.next("[Error: Address already in use] {");
  await naive.exitStatus();
  await listenIn(folder, 0o777).stdout.next("bound");
});

test("`Permission denied`", { skip: windows }, async () => {
  const folder = temporaryFolder();
  const naive = listenIn(folder, 0o555);
  await naive.stderr.next("[Error: Permission denied] {");
  await naive.exitStatus();
  await listenIn(folder, 0o777).stdout.next("bound");
});

test("`File name too long`", async () => {
  const long = join(temporaryFolder(), "x".repeat(108));
  mkdirSync(long);
  await startCamera(long).stderr.next(/[Ff]ile ?name too long/);
  await startCamera(temporaryFolder()).stderr.next(/^No server at/);
});

test("`Invalid argument`, from `bind()` or `connect()`", async () => {
  const error = { code: "EINVAL", message: "Invalid argument" };
  const port = await freePort();
  for (const endpoint of [`127.0.0.1:${port}`, "tcp://127.0.0.1"]) {
    await assert.rejects(publish(endpoint), error);
  }
  const subscriber = open(new Subscriber());
  assert.throws(() => subscriber.connect(`tcp://*:${port}`), error);
  await publish(`tcp://*:${port}`);
  assert.equal(await meet(`tcp://127.0.0.1:${port}`), "handshake");
});

test("`No such device`", async () => {
  const port = await freePort();
  const error = { code: "ENODEV", message: "No such device" };
  await assert.rejects(publish(`tcp://no-such-name.invalid:${port}`), error);
  await publish(`tcp://localhost:${port}`);
});

test("`Cannot assign requested address`", async () => {
  const port = await freePort();
  const elsewhere = publish(`tcp://192.0.2.1:${port}`); // nobody has it
  await assert.rejects(elsewhere, { code: "EADDRNOTAVAIL" });
  await publish(`tcp://0.0.0.0:${port}`);
});

test("`Protocol not supported`", async () => {
  const endpoint = await tcpEndpoint();
  for (const wrong of [endpoint.replace("tcp", "http"), ` ${endpoint}`]) {
    await assert.rejects(publish(wrong), { message: "Protocol not supported" });
  }
  await publish(endpoint);
});

test("`No such endpoint`, at an IPC path", { skip: windows }, async () => {
  const folder = join(temporaryFolder(), "none");
  const endpoint = `ipc://${folder}/1.ipc`;
  await assert.rejects(publish(endpoint), { message: "No such endpoint" });
  mkdirSync(folder);
  await publish(endpoint);
});

test("`No such device` or `No server at …`, with an IPv6 address", async (t) => {
  const port = await freePort();
  const probe = net.createServer().listen(port, "::1");
  const hasIpv6 = await once(probe, "listening").catch(() => false);
  if (!hasIpv6) return t.skip("no IPv6");
  await new Promise((closed) => probe.close(closed));
  const endpoint = `tcp://[::1]:${port}`;
  await assert.rejects(publish(endpoint), { message: "No such device" });
  await publish(endpoint, { ipv6: true });
  assert.equal(await meet(endpoint), "connect:retry");
  assert.equal(await meet(endpoint, { ipv6: true }), "handshake");
});

test("a server listens at another port than the one you wrote", async () => {
  const port = await freePort();
  const publisher = await publish(`tcp://127.0.0.1:${port + 65536}`);
  assert.equal(publisher.lastEndpoint, `tcp://127.0.0.1:${port}`);
  await publisher.bind(`tcp://127.0.0.1:${await freePort()}x`);
  assert.match(publisher.lastEndpoint ?? "", /:\d+$/);
});

test("both ends run, and nothing arrives", async () => {
  const push = new Push();
  const endpoint = await bind(push);
  const refused = open(new Subscriber());
  refused.subscribe();
  const left = event(refused, "disconnect");
  refused.connect(endpoint);
  await left;
  const pull = connect(new Pull(), endpoint);
  await push.send("a job");
  assert.equal(String(await pull.receive()), "a job");
});

test("which side binds, and which connects?", async () => {
  // The one that stays binds, of whatever type; those that come and go connect.
  const pull = new Pull();
  const endpoint = await bind(pull);
  const received = new Set<string>();
  for (const name of ["one", "two"]) {
    await connect(new Push(), endpoint).send(name);
  }
  for (let n = 0; n < 2; n++) received.add(String(await pull.receive()));
  assert.deepEqual(received, new Set(["one", "two"]));
  await assert.rejects(open(new Push()).bind(endpoint), inUse);
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

/** Notes a socket's events as they come. */
function note(socket: Socket) {
  const types: string[] = [];
  for (const type of ["accept", "connect", "handshake", "disconnect"] as const) {
    socket.events.on(type, () => types.push(type));
  }
  return types;
}

test("how do I see whether it is connected?", async () => {
  const endpoint = await tcpEndpoint();
  const pull = open(new Pull());
  const seen = note(pull);
  const retried = event(pull, "connect:retry");
  pull.connect(endpoint); // returns, though nobody is there
  await retried;
  assert.deepEqual(seen, []);

  const push = open(new Push());
  const [joined, left] = [event(push, "handshake"), event(push, "disconnect")];
  const seenByServer = note(push);
  const met = event(pull, "handshake");
  await push.bind(endpoint);
  await met;
  await joined;
  assert.deepEqual(seen, ["connect", "handshake"]);
  pull.close();
  await left;
  assert.deepEqual(seenByServer, ["accept", "handshake", "disconnect"]);
});

test("the events `connect` and `disconnect` do not come", async () => {
  const push = new Push();
  const endpoint = await bind(push);
  const pull = open(new Pull());
  const early = note(pull);
  const late = open(new Pull());
  for (const socket of [pull, late]) {
    const joined = event(push, "handshake");
    socket.connect(endpoint);
    await joined;
  }
  for (let n = 0; n < 2; n++) await push.send("a job");
  await Promise.all([pull.receive(), late.receive()]);
  const missed = note(late);
  const gone = [event(pull, "disconnect"), event(late, "disconnect")];
  push.close();
  await Promise.all(gone);
  assert.deepEqual(missed, ["disconnect"]);
  assert.deepEqual(early, ["connect", "handshake", "disconnect"]);
});

test("`emitter.once is not a function`", async () => {
  // As JavaScript has it: TypeScript says so before.
  const wait = (how: string) =>
    program(
      `
    const socket = new Pull();
    setTimeout(() => socket.connect(endpoint));
    ${how}
    console.log("nobody is there");
    process.exit();`,
      "tcp://127.0.0.1:1",
    );
  const naive = wait('await once(socket.events, "connect:retry");');
  await naive.stderr.next(/is not a function/);
  const wise = wait('await new Promise((next) => socket.events.on("connect:retry", next));');
  await wise.stdout.next("nobody is there");
});

test("`Socket option will not take effect until next connect/bind`", async () => {
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
    await push.send("too long");
    console.log("received " + await pull.receive());
    setImmediate(() => process.exit()); // after the warning`);
  const naive = receive("", "pull.maxMessageSize = 5;");
  await naive.stderr.next(/Socket option will not take effect until next connect/);
  await naive.stdout.next("received too long");
  const wise = receive("{ maxMessageSize: 5 }");
  await wise.stdout.next("refused");
  assert.deepEqual(wise.stderr.all, []);
});

test("`Cannot add property rcvtimeo, object is not extensible`", async () => {
  const naive = program("new Pull({ rcvtimeo: 5 });");
  await naive.stderr.next(/Cannot add property rcvtimeo, object is not extensible/);
  assert.equal(await naive.exitStatus(), 1);
  assert.equal(await program("new Pull({ receiveTimeout: 5 });").exitStatus(), 0);
});

test(
  "`Segmentation fault` when a process ends",
  { skip: windows && "another status" },
  async () => {
    const caught = program("try { new Pull({ rcvtimeo: 5 }); } catch {}");
    assert.equal(await caught.exitStatus(), "SIGSEGV");
    const checked = program(`
    const options = { rcvtimeo: 5 };
    if ("rcvtimeo" in Pull.prototype) new Pull(options);`);
    assert.equal(await checked.exitStatus(), 0);
  },
);

test("`Option value must be a string or buffer`", async () => {
  const listen = (key: string) =>
    program(`new Reply({ curveServer: true, curveSecretKey: ${key} });`);
  await listen("process.env.NO_SUCH_KEY").stderr.next(/Option value must be a string or buffer/);
  assert.equal(await listen(JSON.stringify(serverKeys.secretKey)).exitStatus(), 0);
});

test("`Invalid argument`, from `new`, with keys", async () => {
  const listen = (key: string) =>
    program(`new Reply({ curveServer: true, curveSecretKey: ${JSON.stringify(key)} });`);
  await listen(serverKeys.secretKey.slice(0, 36)).stderr.next(/Invalid argument/);
  assert.equal(await listen(serverKeys.secretKey).exitStatus(), 0);
});

test("`No such endpoint`, from `disconnect()` or `unbind()`", async () => {
  const socket = open(new Pull());
  const endpoint = await tcpEndpoint();
  const error = { code: "ENOENT", message: "No such endpoint" };
  assert.throws(() => socket.disconnect(endpoint), error);
  await assert.rejects(socket.unbind(endpoint), error);
  socket.connect(endpoint);
  socket.disconnect(endpoint);
});

test("`Option value must be a number`", async () => {
  const naive = program("new Push({ linger: process.env.LINGER });");
  await naive.stderr.next(/TypeError: Option value must be a number/);
  const wise = program('new Push({ linger: Number("2") });');
  assert.equal(await wise.exitStatus(), 0);
});
