// The recipes on a large file, and on what was missed while away, keep their promises.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Dealer, Request, Router, XPublisher, XSubscriber } from "zeromq";
import { startScript, startServer, TIMEOUT } from "../../tools/child.ts";
import { temporaryFolder } from "../../tools/endpoints.ts";
import { bind, bother, connect } from "../support.ts";
import {
  drain,
  end,
  garbling,
  layCable,
  receiveText,
  recipe,
  sendRefused,
  tcpEndpoints,
} from "./support.ts";

const [file, copy, place] = ["a", "b", "c"].map((name) => join(temporaryFolder(), name));
const content = randomBytes(1_500_000);
writeFileSync(file, content);
const patient = { receiveTimeout: TIMEOUT };

test("a file arrives complete, whichever end is killed; one that changes is not believed", async () => {
  const [endpoint] = await tcpEndpoints(1);
  const print = "console.log((have += piece.length)); await new Promise((f) => setTimeout(f, 1));";
  const fetch = recipe("fetch", { "= 250_000": "= 5000", "have += piece.length;": print });
  const first = startScript(fetch, copy, endpoint);
  await first.stderr.next(`No server at ${endpoint}: trying again`);
  const offer = await startServer(recipe("offer"), file, endpoint);
  await first.stdout.next("200000");
  await end(offer);
  await startServer(recipe("offer"), file, endpoint);
  await first.stdout.next("700000");
  await end(first);
  assert.throws(() => readFileSync(copy));
  const second = startScript(fetch, copy, endpoint);
  assert.equal(await second.exitStatus(), 0);
  assert.ok(second.stdout.all.length < 180); // It continued where it was.
  assert.deepEqual(readFileSync(copy), content);
  truncateSync(file, 100);
  const third = startScript(fetch, copy, endpoint);
  assert.equal(await third.exitStatus(), 1);
  assert.deepEqual(third.stderr.all, [`${copy}: the file was changed meanwhile. Start again.`]);
  assert.throws(() => readFileSync(`${copy}.part`));
});

test("fetch.ts asks for four pieces ahead, and drops a piece that is not the next", async () => {
  const router = new Router(patient);
  const { exitStatus } = startScript(recipe("fetch"), copy, await bind(router));
  const hash = createHash("sha256").update(content).digest("hex");
  for (const [n, pieces] of [[], [], [], [2, 0], [0, 1], [2, 3, 4, 5]].entries()) {
    const [client, ...asked] = await router.receive();
    assert.deepEqual(asked.map(String), [`${n * 250_000}`, "250000"]);
    for (const first of pieces.map((piece) => piece * 250_000)) {
      const piece = content.subarray(first, first + 250_000);
      await router.send([client, `${first}`, "1500000", hash, piece]);
    }
  }
  assert.equal(await exitStatus(), 0);
  assert.equal(await drain(router), 0); // It asked for nothing else.
});

test("strangers neither end offer.ts nor fill its memory", async () => {
  const [endpoint] = await tcpEndpoints(1);
  await startServer(recipe("offer"), copy, endpoint);
  await bother(endpoint);
  const stranger = connect(new Dealer({ receiveHighWaterMark: 1, reconnectInterval: 0 }), endpoint);
  const odd = ["", "-1 9", "x 9", "0 -1", "0 x", "1.5 9", "1e300 9", "../secret 9", "0 9 9"];
  for (const request of odd) await stranger.send(request.split(" "));
  for (let n = 0; n < 300; n++) await stranger.send(["0", "1e9"]); // It reads no reply.
  const friend = connect(new Dealer(patient), endpoint);
  for (let n = 0; n < 400; n++) {
    await friend.send([`${n}`, `${n || 2_000_000}`]); // It gets 1,000,000 bytes at most.
    const [, , , piece] = await friend.receive(); // by turns with the stranger
    assert.deepEqual(piece, content.subarray(n, n + (n || 1_000_000)));
  }
  assert.ok((await drain(stranger)) < 100);
  await sendRefused(stranger, "x".repeat(1001));
});

test("follow.ts shows each event once, in order, and reports what is lost", async () => {
  const publisher = new XPublisher({ ...patient, verbosity: "allSubs" });
  const past = new Router(patient);
  const [cable, history] = [await layCable(await bind(publisher)), await bind(past)];
  const start = () => startScript(recipe("follow", {}), cable.endpoint, history, place);
  const answer = async (asked: string, ...reply: string[]) => {
    for (let tries = 0; tries < 100; tries++) {
      const [client, , ...request] = await past.receive();
      if (request.join(" ") === asked) return past.send([client, "", ...reply]);
    }
  };
  const first = start();
  await publisher.receive(); // its subscription
  await past.receive();
  await first.stderr.next(`No answer from ${history}: trying again`);
  await answer(" 1", "a", "5", "five", "six"); // It asks though nothing was published.
  await first.stdout.next("6 'six'");
  cable.cut();
  await publisher.receive(); // It is connected again.
  for (const number of ["5", "6", "7"]) await publisher.send(["a", number, "new"]);
  const flow = setInterval(() => publisher.send(["a", "9", "new"]), 50); // no silence
  await answer("a 8", "a", "8", "eight", "nine");
  clearInterval(flow);
  await answer("a 10", "a", "10"); // So the place is in the file.
  await end(first);
  assert.deepEqual(first.stdout.all, ["5 'five'", "6 'six'", "7 'new'", "8 'eight'", "9 'nine'"]);
  assert.ok(first.stderr.all.includes("Not kept: 4 events, from 1 on"));
  const second = start();
  await answer("a 10", "b", "1", garbling.text);
  await second.stdout.next(`1 ${garbling.shown}`);
  await second.stderr.next("Restarted: event 10 and later may be lost");
});

test("events.ts keeps the last events, and outlives strangers", async () => {
  const [endpoint, history] = await tcpEndpoints(2);
  const rare = { "> 1000": "> 30", "sleep(1000)": "sleep(first < 21 ? 1 : 60_000)" };
  const { stdout } = startScript(recipe("events", rare), endpoint, history);
  await stdout.next(/^50 /);
  await Promise.all([endpoint, history].map(bother));
  const dealer = connect(new Dealer(), history);
  for (const odd of ["", "x", " \0 y", " y 1e300 z"]) await dealer.send(odd.split(" "));
  const request = connect(new Request(patient), history);
  let run = "";
  for (const words of ["45 21", "x 21", "5 21", "45 45", "51 51"]) {
    const [number, expected] = words.split(" ");
    await request.send([run, number]);
    const [theirRun, first, ...kept] = await receiveText(request);
    assert.deepEqual([first, kept.length], [expected, 51 - Number(expected)]);
    run = theirRun;
  }
  const follow = startScript(recipe("follow", {}), endpoint, history);
  await follow.stdout.next(/^50 /);
  assert.deepEqual(follow.stdout.all, stdout.all.slice(20));
  await sendRefused(dealer, "x".repeat(1001));
  await sendRefused(connect(new XSubscriber(), endpoint), `\x01${"x".repeat(1000)}`);
});
