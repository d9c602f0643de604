// docs/recipes: topics, lost connections, the forwarder, and what was missed while away.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Dealer, Request, Router, XPublisher, XSubscriber } from "zeromq";
import { TIMEOUT } from "../../tools/child.ts";
import { temporaryFolder } from "../../tools/endpoints.ts";
import { bind, bother, connect, notOnWindows } from "../support.ts";
import {
  drain,
  end,
  follow,
  garbling,
  layCable,
  receiveText,
  sendRefused,
  serveRecipe,
  startRecipe,
  tcpEndpoints,
} from "./support.ts";

const patient = { receiveTimeout: TIMEOUT };
const unlimited = { ...patient, sendHighWaterMark: 0 };
const newPublisher = () => new XPublisher({ ...unlimited, verbosity: "allSubs" });

test("rooms.ts greets whoever joins, and notices who leaves; both ends, when a cable is cut", async () => {
  const [endpoint] = await tcpEndpoints(1);
  const { stdout } = startRecipe("rooms", [endpoint], { "tick % 10 ": "tick % 10_000 " });
  const first = follow(endpoint, "room1/");
  const latest = await receiveText(first);
  const second = follow(endpoint, "room1"); // without the slash
  const topics = [await receiveText(second), await receiveText(second)].map(([topic]) => topic);
  assert.deepEqual(topics.sort(), ["room1/", "room10/"]);
  assert.deepEqual(await receiveText(first), latest);
  const crowd = connect(new XSubscriber({ ...unlimited, reconnectInterval: 0 }), endpoint);
  for (let n = 0; n < 20_000; n++) await crowd.send("\x01room1/"); // as many join
  for (const message of ["", "\x02a", `\x01${garbling.text}`]) await crowd.send(message);
  await stdout.next(`Watched: ${garbling.shown}`); // so all have joined
  assert.equal(stdout.all.length, 20_003);
  assert.ok((await drain(first)) < 1000);
  await bother(endpoint);
  await sendRefused(crowd, `\x01${"x".repeat(1000)}`);
  await stdout.next(`No longer watched: ${garbling.shown}`);
  first.close();
  await stdout.next("No longer watched: 'room1/'");
  const cable = await layCable(endpoint);
  follow(cable.endpoint, "room2/"); // This one will not notice.
  const watch = startRecipe("watch", ["room10/", cable.endpoint], {});
  await watch.stdout.next(/^'room10\/' /);
  cable.cut();
  await stdout.next("No longer watched: 'room2/'");
  await watch.stdout.next(/^'room10\/' /);
});

test("a crashed forwarder ends; the next ones lose no subscription and no burst, and end well", async () => {
  const [inside, outside] = await tcpEndpoints(2);
  const publisher = connect(newPublisher(), inside);
  const hear = async (subscriptions: number) => {
    for (let n = 0; n < subscriptions; n++) await publisher.receive();
  };
  const many = connect(new XSubscriber(unlimited), outside);
  for (let n = 0; n < 3000; n++) await many.send(`\x01${n}/`);
  many.receive().catch(() => {}); // A socket that is not used does not subscribe again.
  const crash = { "await to.send(frames)": 'throw new Error("a bug")' };
  const crashed = await serveRecipe("forwarder", [inside, outside], crash);
  assert.equal(await crashed.exitStatus(), 1);
  const serve = (...more: string[]) =>
    serveRecipe("forwarder", [inside, outside, ...more], { "linger: 2000": "linger: 200" });
  const first = await serve("show");
  await hear(3000);
  const sensor = startRecipe("sensor", [inside, "a/"], { "sleep(1000)": "sleep(50)" });
  const watches = [1, 2].map(() => startRecipe("watch", ["a", outside]));
  const show = () => Promise.all(watches.map(({ stdout }) => stdout.next(/^'a\/' '2\d\.\d °C'$/)));
  await Promise.all([hear(1), show()]);
  for (const message of ["a", ["a", garbling.text]]) await publisher.send(message);
  for (const { stdout } of [first, ...watches]) await stdout.next(`'a' ${garbling.shown}`);
  assert.equal(await end(first, "SIGINT"), notOnWindows ? "SIGINT" : 0);
  for (const { stdout, stderr } of [sensor, ...watches]) {
    await stderr.next(/^No server at .*: trying/);
    stdout.skip();
  }
  const second = await serve();
  await hear(3001);
  await show();
  const [slow, quick] = ["burst/", "end/"].map((topic) => follow(outside, topic));
  await hear(2);
  await Promise.all([inside, outside].map(bother));
  await sendRefused(connect(new XSubscriber(), outside), `\x01${"x".repeat(1000)}`);
  await sendRefused(publisher, `end/${"x".repeat(1_000_000)}`);
  await hear(3003); // It is connected again.
  const burst = async () => {
    for (let n = 0; n < 12_000; n++) await publisher.send(["burst/", `${n}`, "x".repeat(2000)]);
  };
  await burst();
  await publisher.send("end/");
  await quick.receive(); // so all has passed
  for (let n = 0; n < 12_000; n++) assert.equal((await receiveText(slow))[1], `${n}`);
  await burst();
  assert.equal(await end(second, "SIGTERM"), notOnWindows ? "SIGTERM" : 0);
});

test("follow.ts shows each event once, in order, and reports what is lost", async () => {
  const past = new Router(patient);
  const publisher = newPublisher();
  const [cable, history] = [await layCable(await bind(publisher)), await bind(past)];
  const place = join(temporaryFolder(), "place.txt");
  const start = () => startRecipe("follow", [cable.endpoint, history, place], {});
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
  const { stdout } = startRecipe("events", [endpoint, history], rare);
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
  const catching = startRecipe("follow", [endpoint, history]);
  await catching.stdout.next(/^50 /);
  assert.deepEqual(catching.stdout.all, stdout.all.slice(20));
  await sendRefused(dealer, "x".repeat(1001));
  await sendRefused(connect(new XSubscriber(), endpoint), `\x01${"x".repeat(1000)}`);
});
