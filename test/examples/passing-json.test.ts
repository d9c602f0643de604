import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Pull, Push } from "zeromq";
import { startServer, startScript } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import {
  assertRepeats,
  assertSaysNoServer,
  bind,
  bother,
  connect,
  copy,
  event,
  notOnWindows,
} from "../support.ts";

const SERVER = "passing-json/server.ts";
const WORKER = "passing-json/client.ts";
const ASKED = "Hello world?";
const JOB = '{"code":200,"text":"hello world"}';
const DONE = "200 :: hello world";

test("passing-json: Start `server.ts` alone", async () => {
  const [endpoint, elsewhere] = [await tcpEndpoint(), await tcpEndpoint()];
  const { stdout, stderr } = await startServer(SERVER, endpoint);
  await startServer(SERVER, elsewhere);
  const { stdout: done } = startScript(WORKER, elsewhere);
  await done.next(DONE, 3); // which takes two seconds or more
  assert.deepEqual(stdout.all, [ASKED]);

  // Two workers get a job a second, by turns.
  const pulls = [connect(new Pull(), endpoint), connect(new Pull(), endpoint)];
  for (const pull of [...pulls, ...pulls, ...pulls]) {
    assert.equal(String(await pull.receive()), JOB);
  }
  await sleep(100); // A line may come after its job.
  assert.ok(stdout.all.length >= 6, "both have got one job");
  await assertRepeats(stdout, ASKED, 900, 1700);

  // They leave, and the server waits again.
  for (const pull of pulls) pull.close();
  await done.next(DONE);
  const asked = stdout.all.length;
  await done.next(DONE, 3);
  assert.ok(stdout.all.length <= asked + 1, "it did not wait");
  assert.deepEqual(new Set(stdout.all), new Set([ASKED]));
  assert.deepEqual(stderr.all, []);
});

test("passing-json: Start `client.ts`, then `server.ts`", async () => {
  const endpoint = await tcpEndpoint();
  const worker = startScript(WORKER, endpoint);
  await assertSaysNoServer(worker, endpoint);
  await startServer(SERVER, endpoint);
  assert.equal(await worker.stdout.next(/./), DONE);
});

test("the server shows a job that could not be sent, and continues", async () => {
  const endpoint = await tcpEndpoint();
  const impatient = { "new Push()": "new Push({ sendTimeout: 1 })" };
  const server = startScript(copy(SERVER, impatient), endpoint);
  const reason = "Error: Operation was not possible or timed out";
  await server.stderr.next(`Not sent: '${JOB}' ${reason}`, 2);
  const pull = connect(new Pull(), endpoint);
  assert.equal(String(await pull.receive()), JOB);
});

/** Starts two workers, and waits until both get jobs: before that, one may get all of them. */
async function startWorkers(push: Push, endpoint: string) {
  const workers = [startScript(WORKER, endpoint), startScript(WORKER, endpoint)];
  while (workers.some(({ stdout }) => stdout.all.length === 0)) {
    await push.send('{"code":0,"text":"warm-up"}');
    await sleep(10);
  }
  return workers;
}

const send = (push: Push, code: number) => push.send(`{"code":${code},"text":"job"}`);

test("passing-json: Start a second `client.ts`", async () => {
  const push = new Push();
  const workers = await startWorkers(push, await bind(push));
  for (const code of [1, 2, 3, 4]) await send(push, code);
  const shares: string[] = [];
  for (const { stdout } of workers) {
    await stdout.next(/ job$/, 2);
    shares.push(String(stdout.all.slice(-2)));
  }
  assert.deepEqual(shares.sort(), ["1 :: job,3 :: job", "2 :: job,4 :: job"]);
});

test("passing-json: Stop one of two workers with Ctrl-C", { skip: notOnWindows }, async () => {
  const push = new Push();
  const [mortal, other] = await startWorkers(push, await bind(push));
  const gone = event(push, "disconnect");
  mortal.child.kill("SIGINT");
  await gone;
  const gap = () => {
    const [before, last] = other.stdout.all.slice(-2).map((line) => parseInt(line));
    return last - before;
  };
  // ZeroMQ's threads tell each other. Until then, every other job is lost.
  for (let code = 2; gap() !== 1; code++) {
    await send(push, code);
    await sleep(10);
  }
});

const restart = "passing-json: Stop the server with Ctrl-C, then start it again";
test(restart, { skip: notOnWindows }, async () => {
  const endpoint = await tcpEndpoint();
  const first = await startServer(SERVER, endpoint);
  const worker = startScript(WORKER, endpoint);
  await worker.stdout.next(DONE);
  first.child.kill("SIGINT");
  await worker.stderr.next(`No server at ${endpoint}: trying again`);
  worker.stdout.skip();
  await startServer(SERVER, endpoint);
  await worker.stdout.next(DONE);
});

const sleeper = "passing-json: Stop one of two workers with Ctrl-Z, wait, and wake it with `fg`";
test(sleeper, { skip: notOnWindows }, async () => {
  const push = new Push();
  const [slow, quick] = await startWorkers(push, await bind(push));
  slow.child.kill("SIGSTOP");
  for (let n = 0; n < 500; n++) await send(push, 1);
  // The slow one's half waits for it, while the other one has nothing to do.
  await quick.stdout.next("1 :: job", 250);
  slow.child.kill("SIGCONT");
  await slow.stdout.next("1 :: job", 250);
  assert.equal(quick.stdout.all.filter((line) => line === "1 :: job").length, 250);
});

test("a worker shows what is not a job, and takes the next one", async () => {
  const push = new Push();
  const worker = startScript(WORKER, await bind(push));
  const job = JSON.stringify({ code: -1.5, text: "ü\tö\r\n\x1b\x1b[31m\x9b[2J", more: true });
  const incomplete = ['{"code":200,"text":"cut', '{"code":200}', '{"text":"no code"}'];
  const wrong = ['{"code":"200","text":""}', '{"code":200,"text":5}'];
  for (const [rubbish, shown] of [
    ...["nonsense", "", "null", "5", "[1]", '"text"', ...incomplete, ...wrong].map((text) => [
      text,
      text,
    ]),
    ["\x1b[2J\n", "\\x1B[2J\\n"],
    ["x".repeat(100), "x".repeat(60)],
  ]) {
    await push.send(rubbish);
    await push.send(job);
    await worker.stdout.next("-1.5 :: ü?ö????[31m?[2J");
    assert.equal(await worker.stderr.next(/./), `Not a job: '${shown}'`);
  }
  assert.equal(worker.stdout.all.length, worker.stderr.all.length);
});

test('passing-json: Write `code: "200"` in `server.ts`, and start it again', async () => {
  const endpoint = await tcpEndpoint();
  await startServer(copy(SERVER, { "code: 200": 'code: "200"' }), endpoint);
  const { stderr } = startScript(WORKER, endpoint);
  await stderr.next(`Not a job: '{"code":"200","text":"hello world"}'`, 2);
});

test("passing-json: `curl 127.0.0.1:5567`", async () => {
  const endpoint = await tcpEndpoint();
  const server = await startServer(SERVER, endpoint);
  await bother(endpoint);
  await startScript(WORKER, endpoint).stdout.next(DONE);
  assert.ok(server.isRunning());
});
