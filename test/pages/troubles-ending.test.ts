// docs/troubleshooting.md: ending, and threads.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { Pair, Pull } from "zeromq";
import { startProgram, TIMEOUT } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { bind, open, program } from "../support.ts";

const windows = process.platform === "win32";

/**
 * Runs a program that queues messages for a worker which takes none yet.
 * @param end what the program does then
 * @returns whether all arrive, when the worker begins
 */
async function allArrive(end: string, receiveTimeout: number, signal = false) {
  const pull = new Pull({ receiveHighWaterMark: 1, receiveTimeout });
  const count = 50;
  const { child, exitStatus, stdout } = program(
    `
    const socket = new Push();
    socket.connect(endpoint);
    for (let n = 0; n < ${count}; n++) {
      await socket.send(Buffer.alloc(1_000_000)); // TCP's buffers hold few
    }
    ${signal ? end : ""}
    console.log("queued");
    ${signal ? "" : end}`,
    await bind(pull),
  );
  await stdout.next("queued");
  if (signal) child.kill("SIGTERM");
  if (receiveTimeout > 0) await exitStatus();
  for (let n = 0; n < count; n++) {
    const received = await pull.receive().then(
      () => true,
      () => false,
    );
    if (!received) return false;
  }
  return (await exitStatus()) === 0;
}

test(
  "the last messages are missing, after Ctrl-C or `docker stop`",
  { skip: windows && "no signals" },
  async () => {
    const run = "const working = setInterval(() => {}, 1000);";
    const closeAndEnd = `${run}
    process.once("SIGTERM", () => {
      socket.close();
      clearInterval(working);
    });`;
    assert.equal(await allArrive(run, 200, true), false);
    assert.equal(await allArrive(closeAndEnd, -1, true), true);
  },
);

test("the last messages are missing, after `process.exit()`", async () => {
  assert.equal(await allArrive("socket.close(); process.exit();", 200), false);
  assert.equal(await allArrive("process.exitCode = 0; socket.close();", -1), true);
});

test("the last messages are missing, after an uncaught error", async () => {
  const fail = 'throw new Error("a bug");';
  assert.equal(await allArrive(fail, 200), false);
  assert.equal(await allArrive(`try { ${fail} } catch { socket.close(); }`, -1), true);
});

// The first process of a PID namespace is what that of a container is.
const asFirst = ["unshare", "--user", "--map-root-user", "--pid", "--fork"];
const noUnshare = spawnSync("env", [...asFirst, "true"]).status !== 0;

test("Ctrl-C and `docker stop` do nothing", { skip: noUnshare && "no unshare" }, async () => {
  const stop = (before: string[], receiveTimeout: number, onSignal = "") =>
    startProgram("env", [
      ...before,
      process.execPath,
      "--input-type=module",
      "--eval",
      `
      import { Reply } from "zeromq";
      const socket = new Reply({ receiveTimeout: ${receiveTimeout} });
      ${onSignal}
      process.kill(process.pid, "SIGTERM");
      await socket.receive().catch(() => {});
      console.log(socket.closed ? "closed" : "goes on");`,
    ]);
  assert.equal(await stop([], 200).exitStatus(), "SIGTERM");
  await stop(asFirst, 200).stdout.next("goes on");
  const onSignal = 'process.once("SIGTERM", () => socket.close());';
  await stop(asFirst, 10_000, onSignal).stdout.next("closed");
});

test("`Socket is closed` (EBADF)", async () => {
  const serve = (condition: string) =>
    program(`
    const socket = new Reply();
    await socket.bind("inproc://here");
    setTimeout(() => socket.close());
    while (${condition}) await socket.receive().catch(() => console.log("closed"));`);
  const naive = serve("true");
  await naive.stdout.next("closed");
  await naive.stderr.next(/Error: Socket is closed/);
  assert.equal(await naive.exitStatus(), 1);
  const wise = serve("!socket.closed");
  await wise.stdout.next("closed");
  assert.equal(await wise.exitStatus(), 0);
});

test("`Waiting for queued ZeroMQ messages`: a process does not end", async () => {
  const lines = (options: string, last: string) => `
    const socket = new Push(${options});
    socket.connect(endpoint);
    await socket.send("hello");
    ${last}
    console.log("the last line");`;
  const send = async (options: string, last: string, to?: string) =>
    program(lines(options, last), to ?? (await tcpEndpoint()));
  const naive = await send("", "");
  await naive.stderr.next(/Waiting for queued ZeroMQ messages/);
  const wise = await send("{ linger: 200 }", "socket.close();");
  assert.equal(await wise.exitStatus(), 0);
  assert.ok(naive.isRunning());

  const endpoint = await tcpEndpoint();
  const heard = await send(`{ linger: ${TIMEOUT} }`, "socket.close();", endpoint);
  await heard.stdout.next("the last line");
  const pull = open(new Pull());
  await pull.bind(endpoint);
  assert.equal(String(await pull.receive()), "hello");
  assert.equal(await heard.exitStatus(), 0);
});

test("a process, or a test run, does not end, and prints nothing", async () => {
  const receive = (last: string) =>
    program(`
    const socket = new Pull();
    (async () => { for await (const _ of socket); })();
    ${last}
    console.log("the last line");`);
  const naive = receive("");
  await naive.stdout.next("the last line");
  const wise = receive("socket.close();");
  assert.equal(await wise.exitStatus(), 0);
  assert.ok(naive.isRunning());
});

/** Runs a server that waits, or not, for what comes. */
const serve = (last: string) =>
  program(`
  const socket = new Reply();
  await socket.bind("inproc://here");
  console.log("bound");
  ${last}`);

test("a process ends at once, or after a while", async () => {
  const wise = serve("for await (const _ of socket);");
  await wise.stdout.next("bound");
  const naive = serve("");
  assert.equal(await naive.exitStatus(), 0);
  assert.ok(wise.isRunning());
});

test("a process ends with status 13 (`Detected unsettled top-level await`)", async () => {
  const wise = serve("await socket.receive();");
  await wise.stdout.next("bound");
  const naive = serve("await new Promise(() => {});");
  assert.equal(await naive.exitStatus(), 13);
  assert.ok(wise.isRunning());
});

/** Starts a worker thread from a program, and then runs its last lines. */
const startThread = (code: string, last: string) =>
  program(`
  const worker = new Worker(\`
    import { parentPort } from "node:worker_threads";
    import { Push, Pull } from "zeromq";
    ${code}\`, { eval: true });
  ${last}
  console.log("still here");`);

test(
  "a worker thread's `terminate()` aborts the whole process",
  { skip: windows && "another status" },
  async () => {
    const wait = `
    const socket = new Pull();
    parentPort.once("message", () => socket.close());
    socket.receive().catch(() => {}); // rejects when it is closed
    parentPort.postMessage("waiting");`;
    const stop = (how: string) => startThread(wait, `await once(worker, "message"); ${how}`);
    const naive = stop("await worker.terminate();");
    await naive.stderr.next(/terminat.*Napi::Error/);
    assert.equal(await naive.exitStatus(), "SIGABRT");
    assert.deepEqual(naive.stdout.all, []);
    const wise = stop('worker.postMessage("close"); await once(worker, "exit");');
    await wise.stdout.next("still here");
    assert.equal(await wise.exitStatus(), 0);
  },
);

test("`send is not a function`, in a worker thread", async () => {
  const naive = startThread(
    'parentPort.once("message", (socket) => socket.send("hello"));',
    "worker.postMessage(new Push());",
  );
  await naive.stderr.next(/send is not a function/);
  const wise = startThread(
    `const socket = new Push();
    socket.connect("inproc://jobs");
    await socket.send("hello");
    socket.close();`,
    `const pull = new Pull();
    await pull.bind("inproc://jobs");
    console.log("" + await pull.receive());`,
  );
  await wise.stdout.next("hello");
});

test("a Buffer that was sent over `inproc://` changes by itself", async () => {
  const send = async (name: string, change: (frame: Buffer) => void) => {
    const one = open(new Pair());
    const other = open(new Pair());
    await one.bind(`inproc://${name}`);
    other.connect(`inproc://${name}`);
    const sent = Buffer.alloc(1000, "a");
    await one.send(sent);
    change((await other.receive())[0]);
    return String(sent.subarray(0, 1));
  };
  assert.equal(await send("naive", (frame) => frame.fill("b")), "b");
  assert.equal(await send("wise", (frame) => Buffer.from(frame).fill("b")), "a");
});
