// docs/troubleshooting.md: ending, and threads.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Pair, Pull, Push, Request, XPublisher } from "zeromq";
import { startProgram, TIMEOUT } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { bind, connect, notOnWindows, open } from "../support.ts";
import { asFirst, noUnshare, program } from "./support.ts";

/**
 * Runs a program that queues messages for a worker which takes none yet.
 * @param end what the program does then; with a timer in it, what it has done before SIGTERM comes
 * @param isWise whether all are to arrive: else the worker gives up when there is nothing more
 * @returns whether all have arrived, and how the program has ended
 */
async function queue(end: string, isWise: boolean, options = "") {
  const count = 50;
  const isSignalled = end.includes("setInterval");
  const pull = new Pull({ receiveHighWaterMark: 1, receiveTimeout: isWise ? -1 : 200 });
  const { child, exitStatus, stdout } = program(
    `
    const socket = new Push({ ${options} });
    socket.connect(endpoint);
    for (let n = 0; n < ${count}; n++) {
      await socket.send(Buffer.alloc(1_000_000)); // TCP's buffers hold few
    }
    ${isSignalled ? end : ""}
    process.stdout.write("queued\\n", () => { ${isSignalled ? "" : end} });`,
    await bind(pull),
  );
  await stdout.next("queued");
  if (isSignalled) child.kill("SIGTERM");
  if (!isWise) await exitStatus();
  let arrived = 0;
  const receive = () =>
    pull
      .receive()
      .then(() => ++arrived < count)
      .catch(() => false);
  while (await receive());
  return { arrive: arrived === count, status: await exitStatus() };
}

const lost = (status: number | NodeJS.Signals) => ({ arrive: false, status });
const delivered = { arrive: true, status: 0 };

test(
  "The last messages are missing: A signal ended the process",
  { skip: notOnWindows },
  async () => {
    const run = "const working = setInterval(() => {}, 1000);";
    const closeAndEnd = `
      process.once("SIGTERM", () => {
        socket.close();
        clearInterval(working);
      });
      ${run}`;
    assert.deepEqual(await queue(run, false), lost("SIGTERM"));
    assert.deepEqual(await queue(closeAndEnd, true), delivered);
  },
);

test("The last messages are missing: `process.exit()` ended it", async () => {
  assert.deepEqual(await queue("socket.close(); process.exit();", false), lost(0));
  assert.deepEqual(await queue("socket.close(); process.exitCode = 0;", true), delivered);
});

test("The last messages are missing: An uncaught error ended it", async () => {
  const fail = 'throw new Error("a bug");';
  assert.deepEqual(await queue(fail, false), lost(1));
  assert.deepEqual(await queue(`try { ${fail} } catch { socket.close(); }`, true), delivered);
});

test("The last messages are missing: `linger` had passed", async () => {
  assert.deepEqual(await queue("socket.close();", false, "linger: 50"), lost(0));
});

test("Ctrl-C does nothing, and `docker stop` takes ten seconds", { skip: noUnshare }, async () => {
  const endpoint = await tcpEndpoint();
  const tsx = [process.execPath, "--import", "tsx", "eventloop/server.ts", endpoint];
  const naive = startProgram("env", [...asFirst, ...tsx]);
  await naive.stdout.next(/^Listening/);
  const { pid } = naive.child;
  const first = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
  for (const signal of ["SIGTERM", "SIGINT"]) process.kill(first, signal);
  const request = connect(new Request(), endpoint);
  await request.send("are you there?");
  assert.equal(String(await request.receive()), "are you there?");
  process.kill(first, "SIGKILL");
  await naive.exitStatus();

  const code = `
    import { Pull } from "zeromq";
    const socket = new Pull();
    process.once("SIGTERM", () => socket.close());
    process.kill(process.pid, "SIGTERM");
    for await (const _ of socket);
    console.log("closed");`;
  const node = [process.execPath, "--input-type=module", "--eval", code];
  const wise = startProgram("env", [...asFirst, ...node]);
  assert.equal(await wise.exitStatus(), 0);
});

test("`Socket is closed` (EBADF), `Socket operation on non-socket` (ENOTSOCK)", async () => {
  const closed = open(new Pull());
  closed.close();
  assert.throws(() => closed.receive(), { code: "EBADF", message: "Socket is closed" });
  // Windows has the second words.
  const wrong = { code: "ENOTSOCK", message: /^(Socket operation on non-socket|not a socket)$/ };
  assert.throws(() => closed.lastEndpoint, wrong);

  // After 512 messages in a row, receive() lets the event loop have its turn.
  const pull = new Pull();
  const push = connect(new Push(), await bind(pull));
  for (let n = 0; n < 900; n++) await push.send("a job");
  const receive = async () => {
    let count = 0;
    for await (const _ of pull) if (++count === 512) process.nextTick(() => pull.close());
  };
  const wise = async () => {
    try {
      await naive;
    } catch (error) {
      if (!pull.closed) throw error;
    }
  };
  const naive = receive();
  await assert.rejects(naive, wrong);
  await wise();
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
  const endpoint = await tcpEndpoint();
  const naive = await send("", "");
  const wise = await send("{ linger: 100 }", "socket.close();");
  const heard = await send(`{ linger: ${TIMEOUT} }`, "socket.close();", endpoint);
  await naive.stderr.next(/Waiting for queued ZeroMQ messages/);
  assert.equal(await wise.exitStatus(), 0);
  assert.ok(naive.isRunning());
  await heard.stdout.next("the last line");
  const pull = open(new Pull());
  await pull.bind(endpoint);
  assert.equal(String(await pull.receive()), "hello");
  assert.equal(await heard.exitStatus(), 0);
});

test("a process, or a test run (Jest: `did not exit one second after the test run has completed`), does not end", async () => {
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

test("a process ends at once, or after a while; status 13 (from Node 22: `Detected unsettled top-level await`)", async () => {
  const wise = serve("for await (const _ of socket);");
  await wise.stdout.next("bound");
  const [naive, unsettled] = ["", "await new Promise(() => {});"].map(serve);
  assert.equal(await naive.exitStatus(), 0);
  assert.equal(await unsettled.exitStatus(), 13);
  assert.ok(wise.isRunning());
});

test("`process.exit()`, or a crash, does not end a process with a Proxy; four Proxies stop `bind()` and `fs.readFile()`", async () => {
  const forward = (last: string, count = 1) =>
    program(`
    import { readFile } from "node:fs/promises";
    import { Dealer, Proxy, Router } from "zeromq";
    const proxies = [];
    for (let n = 0; n < ${count}; n++) {
      const proxy = new Proxy(new Router(), new Dealer());
      await proxy.frontEnd.bind("tcp://127.0.0.1:*");
      await proxy.backEnd.bind("tcp://127.0.0.1:*");
      proxies.push(proxy);
    }
    for (const proxy of proxies) void proxy.run();
    const [proxy] = proxies;
    setTimeout(() => console.log("running"));
    setTimeout(() => { ${last} }, 1);`);
  const terminate = 'process.on("exit", () => { if (!proxy.frontEnd.closed) proxy.terminate(); });';
  const exit = "process.exit(3);";
  const crash = 'throw new Error("a bug");';
  const naive = [exit, crash].map((end) => forward(end));
  const wise = forward(terminate + crash);
  const ended = forward(`${terminate} proxy.terminate(); setTimeout(() => process.exit(5), 100);`);
  const four = `
    const done = readFile("package.json").then(() => console.log("read"));
    setTimeout(() => {
      console.log("late");
      proxy.terminate();
    }, 100);
    await done;
    ${terminate}
    process.exit();`;
  const crowd = forward(`(async () => { ${four} })();`, 4);
  await naive[1].stderr.next("Error: a bug");
  for (const { stdout } of naive) await stdout.next("running");
  assert.equal(await wise.exitStatus(), 1);
  assert.equal(await ended.exitStatus(), 5);
  assert.deepEqual(ended.stderr.all, []);
  await crowd.stdout.next("read");
  assert.deepEqual(crowd.stdout.all, ["running", "late", "read"]);
  assert.ok(naive.every(({ isRunning }) => isRunning()));
});

test("`Assertion failed: _input_stopped` (status 134)", { skip: notOnWindows }, async () => {
  const count = 2500;
  const publisher = new XPublisher({ sendHighWaterMark: 0, verbosity: "allSubs" });
  const endpoint = await bind(publisher);
  const readSlowly = async (options: string) => {
    const code = `
      import { setTimeout } from "node:timers/promises";
      const socket = new Subscriber({ heartbeatInterval: 50, ${options} });
      socket.connect(endpoint);
      socket.subscribe();
      for (let n = 0; n < ${count}; n++) await socket.receive().then(() => setTimeout(1));
      socket.close();`;
    const reader = program(code, endpoint);
    await publisher.receive(); // its subscription
    return reader;
  };
  const [naive, wise] = [await readSlowly(""), await readSlowly("receiveHighWaterMark: 0")];
  for (let n = 0; n < count; n++) await publisher.send("hello");
  await naive.stderr.next(/Assertion failed: _input_stopped/);
  assert.equal(await naive.exitStatus(), "SIGABRT");
  assert.equal(await wise.exitStatus(), 0);
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
  "the end of a worker thread aborts the whole process: `… instance of 'Napi::Error'` (status 134)",
  { skip: notOnWindows },
  async () => {
    const wait = (first = "") => `
      const socket = new Pull();
      ${first}
      parentPort.once("message", (code) => eval(code));
      socket.receive().catch(() => {}); // rejects when it is closed
      parentPort.postMessage("waiting");`;
    const stop = (how: string, first?: string) =>
      startThread(wait(first), `await once(worker, "message"); ${how}`);
    const post = (code: string) => `
      worker.postMessage(${JSON.stringify(code)});
      await once(worker, "exit").catch(console.error);`;
    const fail = "throw new Error('a bug');";
    const exit = "process.exit();";
    const naive = ["await worker.terminate();", post(fail), post(exit), exit];
    const aborted = naive.map((how) => stop(how));
    const cure = `process.on("exit", () => socket.close());
      process.on("uncaughtExceptionMonitor", () => socket.close());`;
    const closed = [stop(post("socket.close();")), stop(post(fail), cure), stop(post(exit), cure)];
    for (const { stderr, exitStatus } of aborted) {
      await stderr.next(/Napi::Error/);
      assert.equal(await exitStatus(), "SIGABRT");
    }
    for (const { stdout, exitStatus } of closed) {
      await stdout.next("still here");
      assert.equal(await exitStatus(), 0);
    }
  },
);

test("`send is not a function`, in a worker thread, or with Jest", async () => {
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
