import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { Pull, Push } from "zeromq";
import { patience, read, serve, start } from "../tools/script.ts";
import { copy, tcp } from "../tools/temporary.ts";
import { bind, connect, event, test } from "../tools/test.ts";

const SERVER = "passing-json/server.ts";
const WORKER = "passing-json/client.ts";
const ASKED = "Hello world?";

test("the server pushes a job a second, to two workers by turns", async () => {
  const endpoint = await tcp();
  const server = await serve(SERVER, endpoint);
  const pulls = [connect(new Pull(), endpoint), connect(new Pull(), endpoint)];
  for (const pull of pulls) await pull.receive(); // both are there

  const asked = server.stdout.all.length;
  const begin = performance.now();
  for (const pull of [...pulls, ...pulls]) {
    assert.equal(String(await pull.receive()), '{"code":200,"text":"hello world"}');
  }
  // Four seconds; the job before may have been read late.
  assert.ok(performance.now() - begin > 2500);
  // A line may come after the job that it announces.
  assert.ok(server.stdout.all.length - asked <= 5);
  assert.deepEqual(new Set(server.stdout.all), new Set([ASKED]));
  assert.deepEqual(server.stderr.all, []);
});

test("the server waits while there is no worker", { timeout: patience }, async () => {
  const endpoint = await tcp();
  const { stdout } = await serve(SERVER, endpoint);
  await setTimeout(1500);
  assert.deepEqual(stdout.all, [ASKED], "before the first worker");

  const pull = connect(new Pull(), endpoint);
  await pull.receive();
  pull.close();
  let asked: number;
  do {
    asked = stdout.all.length;
    await setTimeout(1500);
  } while (stdout.all.length > asked); // at last, it waits again

  await connect(new Pull(), endpoint).receive();
});

test("the server goes on after EAGAIN, and ends at any other error", async () => {
  const startCopy = async (error: string) => {
    const reject = `Promise.reject(Object.assign(new Error(), { code: "${error}" }))`;
    return start(copy(read(SERVER).replace("socket.send(job)", reject)), await tcp());
  };
  const [server, other] = [await startCopy("EAGAIN"), await startCopy("EFSM")];
  await server.stdout.next(ASKED, 2);
  assert.equal(await other.status(), 1);
});

test("two workers take turns; when one dies, the other gets all", async () => {
  const push = new Push();
  const endpoint = await bind(push);
  const workers = [start(WORKER, endpoint), start(WORKER, endpoint)];
  // Until both are there, one of them may get all the jobs.
  const late = performance.now() + patience;
  while (workers.some(({ stdout }) => stdout.all.length === 0)) {
    assert.ok(performance.now() < late, "a worker without a job");
    await push.send('{"code":0,"text":"warm-up"}');
    await setTimeout(10);
  }
  const send = async (...codes: number[]) => {
    for (const code of codes) await push.send(JSON.stringify({ code, text: "job" }));
  };
  await send(1, 2, 3, 4, 5, 6);
  for (const { stdout } of workers) await stdout.next(/ :: job/, 3);

  const [mortal, heir] = workers;
  const gone = event(push, "disconnect");
  mortal.child.kill("SIGKILL");
  await gone;
  // ZeroMQ's threads tell each other; until then, every other job is lost.
  for (let round = 1; round <= 5; round++) {
    await send(0, 0);
    await heir.stdout.next("0 :: job");
  }
  await send(7, 8, 9);
  await heir.stdout.next("9 :: job");
  const done = workers.map(({ stdout }) =>
    stdout.all.flatMap((line) => /^([1-9]) :: job$/.exec(line)?.[1] ?? []).join(""),
  );
  assert.ok(["135,246789", "246,135789"].includes(`${done}`), `${done}`);
});

test("a worker reports what is not a job, and takes the next", async () => {
  const push = new Push();
  const worker = start(WORKER, await bind(push));
  const report = async (message: string | Buffer, shown = `'${message}'`) => {
    await push.send(message);
    await push.send('{"code":1,"text":"next","more":true}');
    await worker.stdout.next("1 :: next");
    assert.equal(await worker.stderr.next(/./), `Not a job: ${shown}`);
  };
  for (const message of [
    ...["nonsense", "", "null", "5", "[1]", '"text"'],
    ...['{"code":200}', '{"text":"no code"}', '{"code":200,"text":"cut'],
    ...['{"code":"200","text":""}', '{"code":200,"text":5}'],
  ]) {
    await report(message);
  }
  const latin1 = Buffer.from('{"code":1,"text":"\xff"}', "latin1");
  await report(latin1, `'{"code":1,"text":"\ufffd"}'`);
  await report("x".repeat(2 ** 20), `'${"x".repeat(60)}'`);
  // Control characters would reach the terminal of who runs the worker.
  await report("\x1b[2J\n", "'\\x1B[2J\\n'");
  await report('{"code":1,"text":"\\u001b[2J"}', `'{"code":1,"text":"\\\\u001b[2J"}'`);
  assert.equal(worker.stdout.all.length, worker.stderr.all.length);
});
