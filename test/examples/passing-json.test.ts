import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Pull, Push } from "zeromq";
import { type Program, startServer, startScript } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { read } from "../../tools/repository.ts";
import {
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

test("the server pushes a job a second, to two workers by turns", async () => {
  const endpoint = await tcpEndpoint();
  const { stdout, stderr } = await startServer(SERVER, endpoint);
  const pulls = [connect(new Pull(), endpoint), connect(new Pull(), endpoint)];
  for (const pull of pulls) await pull.receive(); // both are there
  const asked = stdout.all.length;
  const begin = performance.now();
  for (const pull of [...pulls, ...pulls, ...pulls])
    assert.equal(String(await pull.receive()), JOB);
  const apart = (performance.now() - begin) / 6;
  assert.ok(apart > 800 && apart < 1500, `${apart}`);
  assert.ok(stdout.all.length - asked <= 7, "a line a job, of which one may come late");
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
  await worker.stdout.next(DONE, 4); // which takes three seconds or more
  assert.ok(stdout.all.length <= 3, "it did not wait");
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

/** Starts two workers, and waits until both get jobs. */
async function startWorkers(push: Push, endpoint: string) {
  const workers = [startScript(WORKER, endpoint), startScript(WORKER, endpoint)];
  // Until both are there, one of them may get all the jobs.
  while (workers.some(({ stdout }) => stdout.all.length === 0)) {
    await push.send('{"code":0,"text":"warm-up"}');
    await sleep(10);
  }
  return workers;
}

/** The codes of the jobs that a worker has done, after the warm-up. */
const codesOf = ({ stdout }: Program) =>
  stdout.all.map(Number.parseFloat).filter((code) => code > 0);

test("passing-json: the other side dies", async () => {
  const push = new Push();
  const endpoint = await bind(push);
  const [first, second] = await startWorkers(push, endpoint);
  const send = (code: number) => push.send(JSON.stringify({ code, text: "job" }));
  for (const code of [1, 2, 3, 4, 5, 6]) await send(code);
  for (const { stdout } of [first, second]) await stdout.next(/ job$/, 3);

  const gone = event(push, "disconnect");
  first.child.kill("SIGKILL");
  await gone;
  // ZeroMQ's threads tell each other. Until then, every other job is lost.
  const survived = () => codesOf(second).slice(-3);
  for (let code = 7; survived()[2] - survived()[0] !== 2; code++) {
    await send(code);
    await sleep(10);
  }

  const turns = [codesOf(first), codesOf(second).slice(0, 3)];
  const [one, other] = turns[0][0] === 1 ? turns : turns.reverse();
  assert.deepEqual(
    [one, other],
    [
      [1, 3, 5],
      [2, 4, 6],
    ],
  );

  await close(push);
  await second.stderr.next(`No server at ${endpoint}: trying again`);
  await startServer(SERVER, endpoint);
  await second.stdout.next(DONE);
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
  assert.equal(codesOf(quick).length, 250);
});

test("passing-json: the other side sends rubbish", async () => {
  const push = new Push();
  const worker = startScript(WORKER, await bind(push));
  const plain = [
    "nonsense",
    "",
    "null",
    "5",
    "[1]",
    '"text"',
    '{"code":200,"text":"cut',
    '{"code":200}',
    '{"text":"no code"}',
    '{"code":"200","text":""}',
    '{"code":200,"text":5}',
  ];
  const job = JSON.stringify({ code: -1.5, text: "ü\tö\r\n\x1b\x1b[31m\x9b[2J", more: true });
  for (const rubbish of [...plain, "\x1b[2J\n", "x".repeat(100)]) {
    await push.send(rubbish);
    await push.send(job);
    await worker.stdout.next("-1.5 :: ü?ö????[31m?[2J");
  }
  for (const shown of [...plain, "\\x1B[2J\\n", "x".repeat(60)]) {
    assert.equal(await worker.stderr.next(/./), `Not a job: '${shown}'`);
  }
  assert.equal(worker.stdout.all.length, worker.stderr.all.length);

  const endpoint = await tcpEndpoint();
  const server = await startServer(SERVER, endpoint);
  await bother(endpoint);
  await startScript(WORKER, endpoint).stdout.next(DONE);
  assert.ok(server.isRunning());
});
