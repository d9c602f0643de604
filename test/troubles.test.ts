// The README's table of troubles: for each row a test that has the trouble
// first, and then the remedy.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { Dealer, Publisher, Pull, Router } from "zeromq";
import { freePort, ipc, tcp } from "../tools/endpoints.ts";
import { patience, root, run, start } from "../tools/script.ts";

/** Runs lines of a user's program, in which `endpoint` is the argument. */
function program(t: TestContext, endpoint: string, lines: string, cwd = root) {
  const code =
    "import { Publisher, Pull, Push, Reply, Request, Subscriber, " +
    "XPublisher } from 'zeromq'; const endpoint = process.argv[1];\n" +
    lines;
  const node = ["--input-type=module", "--eval", code, endpoint];
  return run(process.execPath, node, t.signal, cwd);
}

const rows: Record<string, (t: TestContext) => Promise<void>> = {
  async "`No server at … yet`"(t) {
    const endpoint = await tcp();
    const client = start("eventloop/client.ts", [endpoint], t.signal);
    await client.stderr.next(`No server at ${endpoint} yet: waiting for one.`);

    start("eventloop/server.ts", [endpoint], t.signal);
    assert.equal(await client.status(), 0);
  },

  async "`Address already in use`"(t) {
    const endpoint = await tcp();
    const first = start("eventloop/server.ts", [endpoint], t.signal);
    await first.stdout.next(/./);
    const second = start("eventloop/server.ts", [endpoint], t.signal);
    await second.stderr.next(/Address already in use/);

    const other = start("eventloop/server.ts", [await tcp()], t.signal);
    await other.stdout.next(/./);
    first.child.kill();
    await first.status();
    await start("eventloop/server.ts", [endpoint], t.signal).stdout.next(/./);
  },

  async "a subscriber prints nothing"(t) {
    const endpoint = await tcp();
    const publisher = new Publisher();
    t.after(() => publisher.close());
    await publisher.bind(endpoint);
    const subscriber = (subscribe: string) =>
      program(
        t,
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
    const sending = setInterval(() => publisher.send("hello"), 20);
    t.after(() => clearInterval(sending));
    await other.stdout.next("hello", 10);
    assert.deepEqual(deaf.stdout.all, ["connected"]);
  },

  async "the first messages are missing"(t) {
    if (process.platform === "win32") return; // no SIGSTOP there
    for (const [lines, seen] of [
      [
        `const socket = new Publisher();
         await socket.bind(endpoint);
         await socket.send("first");
         console.log("running");`,
        "MSG 1:  'later'",
      ],
      [
        `const socket = new XPublisher();
         await socket.bind(endpoint);
         console.log("running");
         await socket.receive();
         await socket.send("first");`,
        "MSG 1:  'first'",
      ],
    ] as const) {
      const endpoint = await tcp();
      const camera = start("waynes-world/camera1.ts", [endpoint], t.signal);
      await camera.stderr.next(/^No server/);
      // It takes its moment to connect and to subscribe.
      camera.child.kill("SIGSTOP");
      const later = "setInterval(() => socket.send('later'), 50);";
      await program(t, endpoint, lines + later).stdout.next("running");
      camera.child.kill("SIGCONT");
      assert.equal(await camera.stdout.next(/./), seen);
    }
  },

  async "`Socket is busy writing` (EBUSY)"(t) {
    const pusher = (endpoint: string, wait: string) =>
      program(
        t,
        endpoint,
        `
      const socket = new Push();
      await socket.bind(endpoint);
      ${wait} socket.send("one");
      ${wait} socket.send("two");`,
      );
    const hasty = pusher(await tcp(), "");
    await hasty.stderr.next(/Socket is busy writing/);
    assert.equal(await hasty.status(), 1);

    const endpoint = await tcp();
    const pull = new Pull();
    t.after(() => pull.close());
    pull.connect(endpoint);
    pusher(endpoint, "await");
    assert.equal(String(await pull.receive()), "one");
    assert.equal(String(await pull.receive()), "two");
  },

  async "a server ends with `Operation was not possible or timed out` (EAGAIN)"(
    t,
  ) {
    const disturb = async (endpoint: string) => {
      const dealer = new Dealer({ linger: 0, receiveTimeout: patience });
      t.after(() => dealer.close());
      dealer.connect(endpoint);
      await dealer.send("no delimiter");
      return dealer;
    };
    const frail = await tcp();
    const victim = program(
      t,
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
    start("eventloop/server.ts", [robust], t.signal);
    const dealer = await disturb(robust);
    await dealer.send(["", "a request"]);
    assert.equal(String(await dealer.receive()), ",a request");
  },

  async "a client waits for ever for a reply"(t) {
    const endpoint = await tcp();
    const forgetful = new Router({ linger: 0, receiveTimeout: patience });
    await forgetful.bind(endpoint);
    const naive = program(
      t,
      endpoint,
      `
      const socket = new Request();
      socket.connect(endpoint);
      await socket.send("naive");
      console.log(String(await socket.receive()));`,
    );
    await forgetful.receive();
    const client = start("eventloop/client.ts", [endpoint], t.signal);
    await forgetful.receive();
    await forgetful.unbind(endpoint);
    forgetful.close();

    start("eventloop/server.ts", [endpoint], t.signal);
    assert.equal(await client.status(), 0);
    assert.deepEqual(naive.stdout.all, []);
    assert.equal(naive.child.exitCode, null);
  },

  async "a client falls silent when the server's machine loses power"(t) {
    const port = await freePort();
    const publisher = new Publisher();
    t.after(() => publisher.close());
    await publisher.bind(`tcp://127.0.0.1:${port}`);
    const sending = setInterval(() => publisher.send("hello"), 20);
    t.after(() => clearInterval(sending));

    // When it is pulled, connections stay, but neither bytes nor a goodbye pass.
    const ends: [Socket, Socket][] = [];
    const cable = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      near.pipe(far).pipe(near);
      for (const end of [near, far]) end.on("error", () => {});
      ends.push([near, far]);
    });
    const cablePort = await freePort();
    cable.listen(cablePort, "127.0.0.1");
    t.after(() => {
      cable.close();
      for (const end of ends.flat()) end.destroy();
    });

    const client = (options: string) =>
      program(
        t,
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
  },

  async "`Waiting for queued ZeroMQ messages`: a process does not end"(t) {
    const lines = (options: string, last: string) => `
      const socket = new Request(${options});
      socket.connect(endpoint);
      await socket.send("hello");
      ${last}`;
    const naive = program(t, await tcp(), lines("", ""));
    await naive.stderr.next(/Waiting for queued ZeroMQ messages/);
    const wise = program(
      t,
      await tcp(),
      lines("{ linger: 0 }", "socket.close();"),
    );
    assert.equal(await wise.status(), 0);
    assert.equal(naive.child.exitCode, null);
  },

  async "a process does not end, and prints nothing"(t) {
    const lines = (last: string) => `
      const socket = new Pull();
      socket.connect(endpoint);
      (async () => { for await (const _ of socket); })();
      console.log("the last line");
      ${last}`;
    const naive = program(t, await tcp(), lines(""));
    await naive.stdout.next("the last line");
    const wise = program(t, await tcp(), lines("socket.close();"));
    assert.equal(await wise.status(), 0);
    assert.equal(naive.child.exitCode, null);
  },

  async "a process ends at once"(t) {
    const lines = (last: string) => `
      const socket = new Reply();
      await socket.bind(endpoint);
      console.log("bound");
      ${last}`;
    const waiting = program(
      t,
      await tcp(),
      lines("for await (const _ of socket);"),
    );
    await waiting.stdout.next("bound");
    const naive = program(t, await tcp(), lines(""));
    assert.equal(await naive.status(), 0);
    assert.equal(waiting.child.exitCode, null);
  },

  async "`Cannot find package 'tsx'`"(t) {
    const outside = folder(t);
    const lost = start("eventloop/client.ts", ["?"], t.signal, outside);
    await lost.stderr.next(/Cannot find package 'tsx'/);
    const inside = start("eventloop/client.ts", ["?"], t.signal);
    await inside.stderr.next(/^Cannot connect to \?/);
  },

  async "`Failed to load zeromq.js addon.node`"(t) {
    const project = folder(t);
    const modules = join(root, "node_modules");
    for (const part of ["zeromq/lib", "zeromq/package.json", "cmake-ts"]) {
      cpSync(join(modules, part), join(project, "node_modules", part), {
        recursive: true,
      });
    }
    const load = () => program(t, "", "console.log('loaded');", project);
    await load().stderr.next(/Failed to load zeromq.js addon.node/);
    const build = "node_modules/zeromq/build";
    cpSync(join(root, build), join(project, build), { recursive: true });
    await load().stdout.next("loaded");
  },

  async "`File name too long`"(t) {
    const long = `ipc://${join(tmpdir(), "x".repeat(108))}`;
    const server = start("eventloop/server.ts", [long], t.signal);
    await server.stderr.next(/File name too long/);
    await start("eventloop/server.ts", [ipc()], t.signal).stdout.next(/./);

    if (process.platform === "win32") return; // no TMPDIR there
    const TMPDIR = join(folder(t), "x".repeat(108));
    mkdirSync(TMPDIR);
    const env = (tmp: string) => [
      "-S",
      `TMPDIR=${tmp}`,
      process.execPath,
      "--import",
      "tsx",
      "waynes-world/camera2.ts",
    ];
    await run("env", env(TMPDIR), t.signal).stderr.next(/File name too long/);
    await run("env", env("/tmp"), t.signal).stderr.next(/^No server at/);
  },

  async "new clients of an IPC server get no answer from it"(t) {
    const path = ipc();
    const startServer = async (endpoint: string) => {
      const server = start("eventloop/server.ts", [endpoint], t.signal);
      await server.stdout.next(/./);
      return server;
    };
    const first = await startServer(path);
    await startServer(path);
    const client = start("eventloop/client.ts", [path], t.signal);
    assert.equal(await client.status(), 0);
    assert.equal(first.stdout.all.length, 1, "served by the second");

    const another = ipc();
    const third = await startServer(another);
    const next = start("eventloop/client.ts", [another], t.signal);
    assert.equal(await next.status(), 0);
    await third.stdout.next(/n":5/);
  },

  async "both ends run, and nothing arrives"(t) {
    const endpoint = await tcp();
    const push = start("passing-json/server.ts", [endpoint], t.signal);
    await push.stdout.next(/./);
    const subscriber = start("waynes-world/camera1.ts", [endpoint], t.signal);
    const pull = start("passing-json/client.ts", [endpoint], t.signal);
    await pull.stdout.next(/./, 2);
    assert.deepEqual(push.stderr.all, []);
    assert.equal(push.child.exitCode ?? subscriber.child.exitCode, null);
    assert.deepEqual(subscriber.stdout.all, []);
  },
};

/** @returns a new folder, which is removed when the test ends */
function folder(t: TestContext) {
  const path = mkdtempSync(join(tmpdir(), "zeromq-examples-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

describe("When your copy misbehaves", { concurrency: 4 }, () => {
  for (const [title, run] of Object.entries(rows)) test(title, run);

  test("no row is without a test", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const [, , ...table] =
      /^\| what you see .*?\n\n/ms.exec(readme)?.[0].trim().split("\n") ?? [];
    const titles = table.map((row) => row.split(" | ")[0]?.slice(2));
    assert.deepEqual(titles, Object.keys(rows));
  });
});
