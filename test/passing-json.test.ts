import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Pull, Push } from "zeromq";
import { bind, tcp } from "../tools/endpoints.ts";
import { end, patience, serve, start } from "../tools/script.ts";
import { open } from "../tools/sockets.ts";

const SERVER = "passing-json/server.ts";
const WORKER = "passing-json/client.ts";
const ASKED = "Hello world?";
const DONE = "200 :: hello world";

afterEach(end);

/** A worker that is this test, at such an endpoint. */
function connectPull(endpoint: string) {
  const pull = open(new Pull({ receiveTimeout: patience }));
  pull.connect(endpoint);
  return pull;
}

test("the server pushes a job a second, to two workers by turns", async () => {
  const endpoint = await tcp();
  const server = await serve(SERVER, endpoint);
  const pulls = [connectPull(endpoint), connectPull(endpoint)];
  for (const pull of pulls) await pull.receive(); // both are there

  const asked = server.stdout.all.length;
  const begin = performance.now();
  for (const pull of [...pulls, ...pulls]) {
    assert.equal(
      String(await pull.receive()),
      '{"code":200,"text":"hello world"}',
    );
  }
  // Four seconds; the job before may have been read late.
  assert.ok(performance.now() - begin > 2500);
  // A line may come after the job that it announces.
  assert.ok(server.stdout.all.length - asked <= 5);
  assert.deepEqual(new Set(server.stdout.all), new Set([ASKED]));
  assert.deepEqual(server.stderr.all, []);
});

test("two workers take turns: each job is done once", async () => {
  const push = open(new Push({ sendTimeout: patience }));
  const endpoint = await bind(push);
  const workers = [start(WORKER, endpoint), start(WORKER, endpoint)];
  // Until both are there, one of them may get all the jobs.
  const late = performance.now() + patience;
  while (workers.some(({ stdout }) => stdout.all.length === 0)) {
    assert.ok(performance.now() < late, "a worker without a job");
    await push.send('{"code":0,"text":"warm-up"}');
    await setTimeout(10);
  }
  for (let code = 1; code <= 10; code++) {
    await push.send(JSON.stringify({ code, text: "job" }));
  }
  for (const { stdout } of workers) await stdout.next(/ :: job/, 5);
  const done = workers.map(({ stdout }) =>
    stdout.all.filter((line) => line.endsWith("job")),
  );
  const jobs = (from: number) =>
    [0, 2, 4, 6, 8].map((more) => `${from + more} :: job`);
  assert.deepEqual(done.sort(), [jobs(1), jobs(2)].sort());
});

test("the server waits while there is no worker", async () => {
  const endpoint = await tcp();
  const { stdout } = await serve(SERVER, endpoint);
  await setTimeout(1500);
  assert.deepEqual(stdout.all, [ASKED], "before the first worker");

  const pull = connectPull(endpoint);
  await pull.receive();
  pull.close();
  let asked: number;
  do {
    asked = stdout.all.length;
    await setTimeout(1500);
  } while (stdout.all.length > asked); // at last, it waits again

  await connectPull(endpoint).receive();
});

test("when a worker dies, another gets all the jobs", async () => {
  const endpoint = await tcp();
  const server = await serve(SERVER, endpoint);
  const mortal = start(WORKER, endpoint);
  const heir = start(WORKER, endpoint);
  await mortal.stdout.next(DONE);
  await heir.stdout.next(DONE);
  mortal.child.kill("SIGKILL");
  await mortal.status();
  await server.stdout.next(ASKED);

  const asked = server.stdout.all.length;
  const done = heir.stdout.all.length;
  await heir.stdout.next(DONE, 3);
  const missed =
    server.stdout.all.length - asked - (heir.stdout.all.length - done);
  assert.ok(missed <= 1, `${missed} jobs went to nobody`);
});

test("workers wait for their server, and for its next start", async () => {
  const endpoint = await tcp();
  const worker = start(WORKER, endpoint);
  const hint = `No server at ${endpoint}: waiting for one.`;
  await worker.stderr.next(hint);
  for (let starts = 1; starts <= 2; starts++) {
    const server = await serve(SERVER, endpoint);
    await worker.stdout.next(DONE, 2);
    server.child.kill("SIGKILL");
    await server.status();
  }
  assert.deepEqual(worker.stderr.all, [hint], "said once");
});

test("a worker reports what is not a job, and takes the next", async () => {
  const push = open(new Push({ sendTimeout: patience }));
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
