// The README's troubles with ending.
import assert from "node:assert/strict";
import { Pull } from "zeromq";
import { patience } from "../tools/script.ts";
import { tcp } from "../tools/temporary.ts";
import { bind, open, program, test } from "../tools/test.ts";

const windows = process.platform === "win32";

test("`Waiting for queued ZeroMQ messages`: a process does not end", async () => {
  const lines = (options: string, last: string) => `
    const socket = new Push(${options});
    socket.connect(endpoint);
    await socket.send("hello");
    ${last}
    console.log("the last line");`;
  const naive = program(await tcp(), lines("", ""));
  await naive.stderr.next(/Waiting for queued ZeroMQ messages/);

  const close = "socket.close();";
  const wise = program(await tcp(), lines("{ linger: 2000 }", close));
  assert.equal(await wise.status(), 0);
  assert.ok(naive.runs());

  const endpoint = await tcp();
  const heard = program(endpoint, lines(`{ linger: ${patience} }`, close));
  await heard.stdout.next("the last line");
  const pull = open(new Pull());
  await pull.bind(endpoint);
  assert.equal(String(await pull.receive()), "hello");
  assert.equal(await heard.status(), 0);
});

test("a process does not end, and prints nothing", async () => {
  const lines = (last: string) => `
    const socket = new Pull();
    socket.connect(endpoint);
    (async () => { for await (const _ of socket); })();
    console.log("the last line");
    ${last}`;
  const naive = program(await tcp(), lines(""));
  await naive.stdout.next("the last line");
  const wise = program(await tcp(), lines("socket.close();"));
  assert.equal(await wise.status(), 0);
  assert.ok(naive.runs());
});

test("a process ends at once", async () => {
  const lines = (last: string) => `
    const socket = new Reply();
    await socket.bind(endpoint);
    console.log("bound");
    ${last}`;
  const waiting = program(
    await tcp(),
    lines("for await (const _ of socket);"),
  );
  await waiting.stdout.next("bound");
  const naive = program(await tcp(), lines(""));
  assert.equal(await naive.status(), 0);
  assert.ok(waiting.runs());
});

test("the last messages are missing", { skip: windows && "no signals" }, async () => {
  const count = 50;
  const send = async (onSignal: string, receiveTimeout: number) => {
    const pull = new Pull({ receiveHighWaterMark: 1, receiveTimeout });
    const push = program(await bind(pull), `
      const socket = new Push();
      socket.connect(endpoint);
      ${onSignal}
      for (let n = 0; n < ${count}; n++) {
        await socket.send(Buffer.alloc(1_000_000)); // TCP's buffers hold few
      }
      console.log("queued");
      const working = setInterval(() => {}, 1000);`);
    await push.stdout.next("queued");
    push.child.kill("SIGTERM");
    return { pull, push };
  };
  const receive = async (pull: Pull) => {
    for (let n = 0; n < count; n++) await pull.receive();
  };
  const naive = await send("", 1000);
  assert.equal(await naive.push.status(), "SIGTERM");
  await assert.rejects(receive(naive.pull), { code: "EAGAIN" });

  const closeAndEnd = `process.once("SIGTERM", () => {
      socket.close();
      clearInterval(working);
    });`;
  const wise = await send(closeAndEnd, patience);
  await receive(wise.pull);
  assert.equal(await wise.push.status(), 0);
});

test("a worker thread's `terminate()` aborts the whole process", { skip: windows && "another status" }, async () => {
  const lines = (stop: string) => `
    const worker = new Worker(\`
      import { parentPort } from "node:worker_threads";
      import { Pull } from "zeromq";
      const socket = new Pull();
      parentPort.once("message", () => socket.close());
      socket.receive().catch(() => {}); // rejects when it is closed
      parentPort.postMessage("waiting");\`, { eval: true });
    await once(worker, "message");
    ${stop}
    console.log("still here");`;
  const naive = program("", lines("await worker.terminate();"));
  await naive.stderr.next(/terminat.*Napi::Error/);
  assert.equal(await naive.status(), "SIGABRT");
  assert.deepEqual(naive.stdout.all, []);

  const post = 'worker.postMessage("close"); await once(worker, "exit");';
  const wise = program("", lines(post));
  await wise.stdout.next("still here");
  assert.equal(await wise.status(), 0);
});

