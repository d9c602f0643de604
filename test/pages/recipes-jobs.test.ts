// Jobs that must not be lost: what docs/recipes/jobs.ts, worker.ts and add.ts promise.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Dealer, Request, Router } from "zeromq";
import { startProgram, TIMEOUT, withTimeout } from "../../tools/child.ts";
import { tcpEndpoint, temporaryFolder } from "../../tools/endpoints.ts";
import { bind, bother, type Changes, connect, event, notOnWindows } from "../support.ts";
import { end, layCable, program, recipe, serveRecipe, startRecipe, until } from "./support.ts";

// A job may take 200 ms, and the wall clock stands still.
const quickJobs = { "10_000;": "200; Date.now = () => 0;" };
const quickWorker = { "sleep(1000)": "sleep(20)", '"no picture"': '"x".repeat(2e6)' };

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
  const lines = () => Array.from(textOf(file).matchAll(/^{"id":"(.*)","(done|failed)":/gm));
  await until(() => lines().length >= count, `fewer than ${count} jobs have ended`);
  return lines()
    .map(([, id, how]) => `${id} ${how}`)
    .sort();
}

async function askAt(endpoint: string, ...question: string[]) {
  const socket = connect(new Request({ receiveTimeout: TIMEOUT }), endpoint);
  await socket.send(question);
  const [id = "", ticket = ""] = (await socket.receive()).map(String);
  return { id, ticket };
}

/** Starts jobs.ts with a file that has this text. */
async function startJobs(text = "", changes?: Changes) {
  const [endpoint, file] = [await tcpEndpoint(), newFile(text)];
  const server = await serveRecipe("jobs", [endpoint, file], changes);
  const ask = (...question: string[]) => askAt(endpoint, ...question);
  return { ...server, endpoint, file, ask };
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
  const adding = startRecipe("add", [jobs.get("breaks") ?? "", endpoint, "breaks"]);
  assert.deepEqual([await adding.exitStatus(), ...adding.stdout.all], [0, "Added: 'breaks'"]);
  for (const [id, job] of jobs) await ask("add", job, id);
  const worker = startRecipe("worker", [endpoint], quickWorker);
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
  const changes = { "fs.fsyncSync(fd)": sync, "1_000_000": "1000" };
  const { endpoint, ask, stdout } = await startJobs("", changes);
  const fail = async (sentence: RegExp, job: string, to: string, changes?: Changes) => {
    const { exitStatus, stderr } = startRecipe("add", [job, to, "x"], changes);
    assert.equal(await exitStatus(), 1);
    assert.match(stderr.all.at(-1) ?? "", sentence);
  };
  await Promise.all([
    fail(/^Not JSON: "{'a':1}"$/, "{'a':1}", nobody),
    fail(/^No reply .*, use the same id: 'x'$/, "1", nobody, { "10_000": "300" }),
    fail(/^What replied is not jobs.ts\. .*'x'$/, "1", elsewhere),
    fail(/^Server gone, or job too large\. .*'x'$/, `"${"x".repeat(1000)}"`, endpoint),
  ]);
  await ask("add", "1", "a"); // One that is too large stops no others.
  await stdout.next(`synced: '{"id":"a","job":"1"}\\n'`);
});

test("what is not reported in time is handed out again, and fails after three times", async () => {
  const { ask, file, stderr } = await startJobs(adds(["slow", "deadly", "good"]), quickJobs);
  const next = async () => {
    for (; ; await sleep(20)) {
      const job = await ask("ready");
      if (job.id) return job;
    }
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
  const { endpoint, file, ...server } = await startJobs(jobs, quickJobs);
  const [worker] = [1, 2].map(() => startRecipe("worker", [endpoint], quickWorker));
  await ended(file, 20);
  await Promise.all([server, worker].map((killed) => end(killed)));
  await serveRecipe("jobs", [endpoint, file], quickJobs);
  const done = numbers(60).map((id) => `${id} done`);
  assert.deepEqual(await ended(file, 60), done.sort());
});

test("a last line that is cut, at whichever byte, is not believed", async () => {
  const before = adds(["a"], '"ü"') + '{"id":"a","ticket":"T"}\n';
  const last = '{"id":"a","done":"ü"}\n';
  const lists: [string, string][] = [];
  for (let cut = 1; cut <= Buffer.byteLength(last); cut++)
    lists.push([await tcpEndpoint(), newFile(Buffer.from(before + last).subarray(0, -cut))]);
  // All in one process, as modules that find their arguments in their own addresses.
  const changes = { "process.argv": 'import.meta.url.split("&")', "10_000 + ": "0 * " };
  const jobs = pathToFileURL(recipe("jobs", changes));
  const all = `for (const list of process.argv.slice(1)) import("${jobs}?&&" + list);`;
  const { stdout } = program(all, ...lists.map((list) => list.join("&")));
  await stdout.next(/^Listening/, lists.length);
  for (const [endpoint, file] of lists) {
    await askAt(endpoint, "done", "ü", "a", "T");
    assert.equal(textOf(file), before + last);
  }
});

test("a full disk ends it; what was added is in the file", { skip: notOnWindows }, async () => {
  const [endpoint, file] = [await tcpEndpoint(), newFile("")];
  const limited = ["-c", 'ulimit -f 100 && exec "$0" "$@"', process.execPath, recipe("jobs", {})];
  const { stdout, stderr, ended: exited } = startProgram("sh", [...limited, endpoint, file]);
  await stdout.next(/^Listening/);
  const job = "x".repeat(10_000);
  let n = 0;
  while (await Promise.race([askAt(endpoint, "add", job, `${n}`), exited.then(() => 0)])) n++;
  assert.equal(await exited, 1);
  assert.deepEqual(stderr.all, [`${file}: Error: EFBIG: file too large, write`]);
  assert.ok(textOf(file).startsWith(adds(numbers(n), job)));
});

test("after a restart, nothing is handed out twice; neither strangers nor a second jobs.ts disturb it", async () => {
  const text = `${adds(["a", "b"])}{"id":"a","ticket":"T"}\n`; // An earlier one handed out a.
  const { endpoint, file, ask } = await startJobs(text);
  assert.equal((await ask("ready")).id, "b");
  assert.equal((await ask("ready")).id, "");
  const begun = textOf(file);
  const second = startRecipe("jobs", [await tcpEndpoint(), file]);
  assert.equal(await second.exitStatus(), 1);
  assert.match(second.stderr.all.join(), /: another jobs\.ts uses it\? Error: bind EADDRINUSE 127/);
  const cable = await layCable(endpoint);
  await askAt(cable.endpoint, "done", "", "a", "another list's ticket");
  await Promise.all([bother(endpoint), withTimeout(cable.cut(), "it keeps a lost connection")]);
  const stranger = connect(new Dealer(), endpoint);
  const odd = [[""], ["done"], ["", "done"], ["", "", "", "a", ""], ["a", "b"]];
  for (const frames of [...odd, ["", "done", "", "b", "T"]]) await stranger.send(frames);
  const hungUp = event(stranger, "disconnect");
  await stranger.send(["", "add", Buffer.alloc(1_000_001), "c"]);
  await hungUp;
  await ask("failed", "reason", "a", "T");
  assert.equal(textOf(file), `${begun}{"id":"a","failed":"reason"}\n`);
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
  const worker = startRecipe("worker", [await bind(router)], quickWorker);
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
