// The README's troubles with connecting.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Pull, Push, Subscriber } from "zeromq";
import { patience, run, serve, start } from "../tools/script.ts";
import { freePort, ipc, tcp, temporary } from "../tools/temporary.ts";
import { connect, event, open, program, test } from "../tools/test.ts";

const ECHO = "eventloop/server.ts";
const CLIENT = "eventloop/client.ts";

test("`No server at …`", async () => {
  const endpoint = await tcp();
  const client = start(CLIENT, endpoint);
  await client.stderr.next(`No server at ${endpoint}: waiting for one.`);
  await serve(ECHO, endpoint);
  assert.equal(await client.status(), 0);
});

test("`Address already in use`", async () => {
  const endpoint = await tcp();
  const first = await serve(ECHO, endpoint);
  const second = start(ECHO, endpoint);
  await second.stderr.next(`Cannot bind ${endpoint}: Address already in use`);

  first.child.kill();
  await first.status();
  await serve(ECHO, endpoint);
});

test("`Address already in use`, right after one's own `close()`", { skip: process.platform === "win32" && "not seen on Windows" }, async () => {
  const megabyte = Buffer.alloc(1_000_000);
  /** Binds a socket, and closes it, so many times. */
  const repeat = async (times: number, close: (socket: Push) => unknown) => {
    const endpoint = await tcp();
    for (let time = 0; time < times; time++) {
      const push = open(new Push());
      await push.bind(endpoint);
      const pull = connect(new Pull(), endpoint);
      // Work for ZeroMQ's thread, which frees the port when it gets to that.
      for (let n = 0; n < 20; n++) await push.send(megabyte);
      await close(push);
      pull.close();
    }
  };
  const error = { code: "EADDRINUSE", message: "Address already in use" };
  await assert.rejects(repeat(1000, (socket) => socket.close()), error);

  await repeat(20, (socket) => {
    const freed = event(socket, "close");
    socket.close();
    return freed;
  });
});

test("`File name too long`", async () => {
  const TMPDIR = join(temporary(), "x".repeat(108));
  mkdirSync(TMPDIR);
  const camera = (folder: string) =>
    run(process.execPath, ["--import", "tsx", "waynes-world/camera2.ts"], {
      env: { TMPDIR: folder, TEMP: folder },
    });
  await camera(TMPDIR).stderr.next(/[Ff]ile ?name too long$/);
  await camera(temporary()).stderr.next(/^No server at/);
});

test("new clients of an IPC server get no answer from it", async () => {
  const path = ipc();
  const first = await serve(ECHO, path);
  await serve(ECHO, path);
  assert.equal(await start(CLIENT, path).status(), 0);
  assert.equal(first.stdout.all.length, 1, "served by the second");

  const another = ipc();
  const third = await serve(ECHO, another);
  assert.equal(await start(CLIENT, another).status(), 0);
  await third.stdout.next(/"n":5/);
});

test("both ends run, and nothing arrives", async () => {
  const endpoint = await tcp();
  const push = await serve("passing-json/server.ts", endpoint);
  const subscriber = start("waynes-world/camera1.ts", endpoint);
  const pull = start("passing-json/client.ts", endpoint);
  await pull.stdout.next(/./, 2);
  assert.deepEqual(push.stderr.all, []);
  assert.ok(push.runs() && subscriber.runs());
  assert.deepEqual(subscriber.stdout.all, []);
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

test("nothing prints, not even `No server`", async () => {
  const silent = await freePort();
  const server = net.createServer((connection) => connection.unref()).unref();
  await once(server.listen(silent, "127.0.0.1"), "listening");
  const ports = [silent];
  if (process.platform === "linux") {
    // Two connections fill its backlog: then packets are dropped, as by a
    // firewall.
    const full = await freePort();
    const stuck = program(`${full}`, `
      createServer().listen(endpoint, "127.0.0.1", 1, () => {
        console.log("listening");
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      });`);
    await stuck.stdout.next("listening");
    assert.ok((await listens(full)) && (await listens(full)));
    ports.push(full);
  }
  for (const port of ports) {
    const firstRetry = (options: object) => {
      const endpoint = `tcp://127.0.0.1:${port}`;
      const socket = connect(new Subscriber(options), endpoint);
      return event(socket, "connect:retry").then(() => options);
    };
    const wary = { connectTimeout: 1000, handshakeInterval: 1000 };
    const first = await Promise.race([firstRetry({}), firstRetry(wary)]);
    assert.equal(first, wary);
  }
});

test("a server stops listening after a while", async () => {
  const serve = async (later: string) => {
    const port = await freePort();
    const server = program(`${port}`, `
      const socket = new Publisher();
      await socket.bind('tcp://127.0.0.1:' + endpoint);
      setInterval(() => { gc(); console.log("collected"); ${later} }, 20);`);
    await server.stdout.next("collected");
    return { port, server };
  };
  const idle = await serve("");
  const deadline = Date.now() + patience;
  while (await listens(idle.port)) {
    assert.ok(Date.now() < deadline);
    await setTimeout(20);
  }

  const used = await serve("socket.send('news');");
  await used.server.stdout.next("collected", 20);
  assert.ok(await listens(used.port));
});
