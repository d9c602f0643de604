// Jobs that must not be lost: what docs/recipes/jobs.ts, worker.ts and add.ts promise.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Dealer, Request, Router } from "zeromq";
import { startProgram, startScript, startServer, TIMEOUT } from "../../tools/child.ts";
import { tcpEndpoint, temporaryFolder } from "../../tools/endpoints.ts";
import { read } from "../../tools/repository.ts";
import { bind, bother, connect, event, notOnWindows, replace, writeScript } from "../support.ts";

const JOBS = "docs/recipes/jobs.ts";
const ADD = "docs/recipes/add.ts";
/** A copy of a script, with other text in some places. */
function copy(script: string, changes: Record<string, string>) {
  let code = read(script);
  for (const [from, to] of Object.entries(changes)) code = replace(code, from, to);
  return writeScript(code);
}
// A job may take 200 ms, and the wall clock stands still.
const QUICK_JOBS = copy(JOBS, { "10_000;": "200; Date.now = () => 0;" });
const quickly = { "p(1000)": "p(20)", "000,": "00,", '"no picture"': '"x".repeat(2e6)' };
const QUICK_WORKER = copy("docs/recipes/worker.ts", quickly);

function newFile(text: string | Buffer) {
  const file = `${temporaryFolder()}/jobs.log`;
  writeFileSync(file, text);
  return file;
}
const textOf = (file: string) => readFileSync(file, "utf8");
const numbers = (length: number) => Array.from({ length }, (_, n) => `${n}`);
/** The lines of a file that add jobs. */
const adds = (ids: string[], job = "1") =>
  ids.map((id) => `${JSON.stringify({ id, job })}\n`).join("");

/** Waits until so many jobs have ended: "a done" and the like, sorted. */
async function ended(file: string, count: number) {
  for (const deadline = performance.now() + TIMEOUT; ; await sleep(10)) {
    const lines = textOf(file).matchAll(/^{"id":"(.*)","(done|failed)":/gm);
    const all = Array.from(lines, ([, id, how]) => `${id} ${how}`).sort();
    if (all.length >= count) return all;
    assert.ok(performance.now() < deadline, `not ${count}, only ${all}`);
  }
}

async function askAt(endpoint: string, ...question: string[]) {
  const socket = connect(new Request({ receiveTimeout: TIMEOUT }), endpoint);
  await socket.send(question);
  const [id = "", ticket = ""] = (await socket.receive()).map(String);
  return { id, ticket };
}

/** Starts jobs.ts with a file that has this text. */
async function startJobs(text = "", script = JOBS) {
  const [endpoint, file] = [await tcpEndpoint(), newFile(text)];
  const server = await startServer(script, endpoint, file);
  const ask = (...question: string[]) => askAt(endpoint, ...question);
  const restart = () => {
    server.child.kill("SIGKILL");
    return server.ended.then(() => startServer(script, endpoint, file));
  };
  return { ...server, endpoint, file, ask, restart };
}

test("a job is any JSON, and is done once; one that fails ends nothing else", async () => {
  const { endpoint, file, ask, stdout, stderr } = await startJobs();
  const jobs = new Map([
    ["breaks", '{"picture":\n"one\\ntwo\u2028\x7f", "n": 12345678901234567890}'],
    ["long", `{"picture":"${"ü".repeat(100_000)}"}`],
    ["same", '{"picture":1}'],
    ["same again", '{"picture":1}'],
    ["\x9b", "[1]"],
  ]);
  const adding = startScript(ADD, jobs.get("breaks") ?? "", endpoint, "breaks");
  assert.deepEqual([await adding.exitStatus(), ...adding.stdout.all], [0, "Added: 'breaks'"]);
  for (const [id, job] of jobs) await ask("add", job, id);
  const worker = startScript(QUICK_WORKER, endpoint);
  await ended(file, 5);
  for (const id of ["same", "new"]) await ask("add", '{"picture":2}', id);
  const done = ["breaks", "long", "new", "same again", "same"].map((id) => `${id} done`);
  assert.deepEqual(await ended(file, 6), [...done, "\x9b failed"]);
  for (const [id, job] of jobs) assert.ok(textOf(file).includes(adds([id], job)), id);
  assert.match(textOf(file), /"failed":"Error: x{900,1000}"/);
  const screens = [stdout, stderr, worker.stdout, worker.stderr].flatMap(({ all }) => all);
  assert.doesNotMatch(screens.join(""), /\p{Cc}/u);
});

test("add.ts succeeds when the job is synced, and otherwise prints a sentence", async () => {
  const [nobody, echo] = [await tcpEndpoint(), new Router()];
  const elsewhere = await bind(echo);
  void echo.receive().then((frames) => echo.send(frames));
  const sync = 'console.log("synced: %o", String(fs.readFileSync(file)))';
  const jobs = copy(JOBS, { "fs.fsyncSync(fd)": sync, "1_000_000": "1000" });
  const { endpoint, ask, stdout } = await startJobs("", jobs);
  const add = async (script: string, job: string, to: string, sentence: RegExp) => {
    const { exitStatus, stderr } = startScript(script, job, to, "x");
    assert.equal(await exitStatus(), 1);
    assert.match(stderr.all.at(-1) ?? "", sentence);
  };
  await Promise.all([
    add(ADD, "{'a':1}", nobody, /^Not JSON: "{'a':1}"$/),
    add(copy(ADD, { "10_000": "300" }), "1", nobody, /^No reply .*, use the same id: 'x'$/),
    add(ADD, "1", elsewhere, /^What replied is not jobs.ts\. .*'x'$/),
    add(ADD, `"${"x".repeat(1000)}"`, endpoint, /^Server gone, or job too large\. .*'x'$/),
  ]);
  await ask("add", "1", "a"); // One that is too large stops no others.
  await stdout.next(`synced: '{"id":"a","job":"1"}\\n'`);
});

test("one jobs.ts at a time uses a file; the next one continues where it was killed", async () => {
  const { file, ask, restart } = await startJobs(adds(["a", "b"]));
  const { id, ticket } = await ask("ready");
  const second = startScript(JOBS, await tcpEndpoint(), file);
  assert.equal(await second.exitStatus(), 1);
  assert.match(second.stderr.all.join(), /: another jobs\.ts uses it\? Error: bind EADDRINUSE 127/);
  await restart();
  assert.equal((await ask("ready")).id, "b");
  assert.equal((await ask("ready")).id, "", "it hands out again what is under way");
  await ask("done", "", id, ticket);
  assert.deepEqual(await ended(file, 1), ["a done"]);
});

test("what is not reported in time is handed out again, and fails after three times", async () => {
  const { ask, file, stderr } = await startJobs(adds(["slow", "deadly", "good"]), QUICK_JOBS);
  const next = async () => {
    let job = await ask("ready");
    for (; !job.id; job = await ask("ready")) await sleep(20);
    return job;
  };
  const [slow, , good] = [await next(), await next(), await next()];
  await ask("done", "", "good", good.ticket);
  for (let n = 0; n < 2; n++) await next();
  await ask("done", "late", "slow", slow.ticket);
  for (; stderr.all.length === 0; await sleep(20)) await ask("ready");
  assert.deepEqual(await ended(file, 3), ["deadly failed", "good done", "slow done"]);
  const tickets = Array.from(textOf(file).matchAll(/"(\w+)","ticket"/g), ([, id]) => id);
  assert.deepEqual(tickets, ["slow", "deadly", "good", "slow", "deadly", "deadly"]);
});

test("no job is lost when jobs.ts and a worker are killed under load", async () => {
  const jobs = adds(numbers(60), '{"picture":1}');
  const { file, endpoint, restart } = await startJobs(jobs, QUICK_JOBS);
  const workers = [1, 2].map(() => startScript(QUICK_WORKER, endpoint));
  await ended(file, 20);
  workers[0]?.child.kill("SIGKILL");
  await restart();
  const done = numbers(60).map((id) => `${id} done`);
  assert.deepEqual(await ended(file, 60), done.sort());
});

test("a last line that is cut, at whichever byte, is not believed", async () => {
  const before = adds(["a"], '"ü"') + '{"id":"a","ticket":"T"}\n';
  const last = '{"id":"a","done":"ü"}\n';
  // All in one process, as modules that find their arguments in their own addresses.
  const changes = { "process.argv": 'import.meta.url.split("&")', "10_000 + ": "0 * " };
  const jobs = pathToFileURL(copy(JOBS, changes));
  const all = `process.argv.slice(2).map((list) => import("${jobs}?&&" + list));`;
  const lists: [string, string][] = [];
  for (let cut = 1; cut <= Buffer.byteLength(last); cut++)
    lists.push([await tcpEndpoint(), newFile(Buffer.from(before + last).subarray(0, -cut))]);
  const { stdout } = startScript(writeScript(all), ...lists.map((list) => list.join("&")));
  await stdout.next(/^Listening/, lists.length);
  for (const [endpoint, file] of lists) {
    await askAt(endpoint, "done", "ü", "a", "T");
    assert.equal(textOf(file), before + last);
  }
});

test("a full disk ends it; what was added is in the file", { skip: notOnWindows }, async () => {
  const [endpoint, file] = [await tcpEndpoint(), newFile("")];
  const limited = ["-c", 'ulimit -f 100 && exec "$0" "$@"', process.execPath, "--import", "tsx"];
  const { stdout, stderr, ended: end } = startProgram("sh", [...limited, JOBS, endpoint, file]);
  await stdout.next(/^Listening/);
  const job = "x".repeat(10_000);
  let n = 0;
  while (await Promise.race([askAt(endpoint, "add", job, `${n}`), end.then(() => 0)])) n++;
  assert.equal(await end, 1);
  assert.deepEqual(stderr.all, [`${file}: Error: EFBIG: file too large, write`]);
  assert.ok(textOf(file).startsWith(adds(numbers(n), job)));
});

test("strangers end neither it nor a job whose ticket they lack", async () => {
  const text = `${adds(["a", "b"])}{"id":"a","ticket":"T"}\n`;
  const { endpoint, file, ask } = await startJobs(text);
  const bothered = bother(endpoint);
  const stranger = connect(new Dealer(), endpoint);
  const messages = [[""], ["done"], ["", "done"], ["", "", "", "a", ""], ["a", "b"]];
  messages.push(["", "done", "", "b", "T"], ["", "done", "", "a", "another list's ticket"]);
  for (const frames of messages) await stranger.send(frames);
  const hungUp = event(stranger, "disconnect");
  await stranger.send(["", "add", Buffer.alloc(1_000_001), "c"]);
  await Promise.all([hungUp, bothered]);
  await ask("failed", "reason", "a", "T");
  assert.equal(textOf(file), `${text}{"id":"a","failed":"reason"}\n`);
});

test("a long list slows nothing down", async () => {
  const lists = [1000, 100_000].map((length) => startJobs(adds(numbers(length))));
  const work = async ({ endpoint }: { endpoint: string }) => {
    const dealer = connect(new Dealer({ receiveTimeout: TIMEOUT }), endpoint);
    const begin = performance.now();
    for (let n = 0; n < 20; n++) await dealer.send(["", "ready"]);
    for (let n = 0; n < 1800; n++) {
      const [, id = "", ticket] = await dealer.receive(); // of a job, or just a reply
      await dealer.send(ticket ? ["", "done", "", id, ticket] : ["", "ready"]);
    }
    return performance.now() - begin;
  };
  const [short = 0, long = 0] = await Promise.all((await Promise.all(lists)).map(work));
  assert.ok(long < 3 * short, `${long} ms, and ${short} ms with a short list`);
});

test("a worker asks anew when no reply comes; an old reply does not reach it", async () => {
  const router = new Router({ receiveTimeout: TIMEOUT });
  const worker = startScript(QUICK_WORKER, await bind(router));
  const [early = ""] = await router.receive(); // It gets its reply too late.
  const reports: string[] = [];
  while (reports.length < 2) {
    const [peer = "", , ...frames] = await router.receive();
    if (frames.length > 1)
      reports.push(frames.join()); // It gets no reply.
    else {
      await router.send([early, "", "old", "ticket 1", '{"picture":1}']);
      await router.send([peer, "", "new", "ticket 2", '{"picture":1}']);
    }
  }
  assert.deepEqual(new Set(reports), new Set(["done,,new,ticket 2"]));
  assert.deepEqual(new Set(worker.stdout.all), new Set([`'new' '{"picture":1}'`]));
});
