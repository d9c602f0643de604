import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Pull, Push } from "zeromq";
import { startServer, startScript } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { read } from "../../tools/repository.ts";
import {
  assertRepeats,
  assertSaysNoServer,
  bind,
  bother,
  close,
  connect,
  event,
  notOnWindows,
  replace,
  writeScript,
} from "../support.ts";

const SERVER = "passing-json/server.ts";
const WORKER = "passing-json/client.ts";
const ASKED = "Hello world?";
const JOB = '{"code":200,"text":"hello world"}';
const DONE = "200 :: hello world";

test("the server pushes a job a second, each to one of two workers", async () => {
  const endpoint = await tcpEndpoint();
  const { stdout, stderr } = await startServer(SERVER, endpoint);
  const pulls = [connect(new Pull(), endpoint), connect(new Pull(), endpoint)];
  for (const pull of [...pulls, ...pulls, ...pulls]) {
    assert.equal(String(await pull.receive()), JOB);
  }
  await sleep(100); // A line may come after its job.
  assert.ok(stdout.all.length >= 6, "both have got one job");
  await assertRepeats(stdout, ASKED, 900, 1700);
  assert.deepEqual(new Set(stdout.all), new Set([ASKED]));
  assert.deepEqual(stderr.all, []);
});

test("passing-json: nobody is there yet", async () => {
  const endpoint = await tcpEndpoint();
  const { stdout } = await startServer(SERVER, endpoint);
  const elsewhere = await tcpEndpoint();
  const worker = startScript(WORKER, elsewhere);
  await assertSaysNoServer(worker, elsewhere); // which takes three seconds or more
  assert.deepEqual([...stdout.all, ...worker.stdout.all], [ASKED]);

  // A worker comes and goes, and the server waits again.
  const pull = connect(new Pull(), endpoint);
  await pull.receive();
  pull.close();
  await startServer(SERVER, elsewhere);
  await worker.stdout.next(DONE);
  const asked = stdout.all.length;
  await worker.stdout.next(DONE, 3); // which takes two seconds or more
  assert.ok(stdout.all.length <= asked + 1, "it did not wait");
});

test("the server shows a job that could not be sent, and continues", async () => {
  const endpoint = await tcpEndpoint();
  const impatient = replace(read(SERVER), "new Push()", "new Push({ sendTimeout: 1 })");
  const server = startScript(writeScript(impatient), endpoint);
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

test("passing-json: the other side dies", async () => {
  const push = new Push();
  const endpoint = await bind(push);
  const [mortal, other] = await startWorkers(push, endpoint);
  const gone = event(push, "disconnect");
  mortal.child.kill("SIGKILL");
  await gone;
  const gap = () => {
    const [before, last] = other.stdout.all.slice(-2).map((line) => parseInt(line));
    return last - before;
  };
  // ZeroMQ's threads tell each other. Until then, every other job is lost.
  for (let code = 2; gap() !== 1; code++) {
    await push.send(`{"code":${code},"text":"job"}`);
    await sleep(10);
  }
  await close(push);
  await other.stderr.next(`No server at ${endpoint}: trying again`);
  await startServer(SERVER, endpoint);
  await other.stdout.next(DONE);
});

test("passing-json: the other side is slow", { skip: notOnWindows }, async () => {
  const push = new Push();
  const [slow, quick] = await startWorkers(push, await bind(push));
  slow.child.kill("SIGSTOP");
  for (let n = 0; n < 500; n++) await push.send('{"code":1,"text":"job"}');
  // The slow one's half waits for it, while the other one has nothing to do.
  await quick.stdout.next("1 :: job", 250);
  slow.child.kill("SIGCONT");
  await slow.stdout.next("1 :: job", 250);
  assert.equal(quick.stdout.all.filter((line) => line === "1 :: job").length, 250);
});

test("passing-json: the other side sends rubbish", async () => {
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

  const endpoint = await tcpEndpoint();
  const server = await startServer(SERVER, endpoint);
  await bother(endpoint);
  await startScript(WORKER, endpoint).stdout.next(DONE);
  assert.ok(server.isRunning());
});
