// The recipes on topics and on the forwarder keep their promises.
import assert from "node:assert/strict";
import { test } from "node:test";
import { XPublisher, XSubscriber } from "zeromq";
import { startScript, startServer, TIMEOUT } from "../../tools/child.ts";
import { bother, connect } from "../support.ts";
import {
  drain,
  end,
  follow,
  garbling,
  receiveText,
  recipe,
  sendRefused,
  tcpEndpoints,
} from "./support.ts";
import { notOnWindows } from "../support.ts";

const unlimited = { receiveTimeout: TIMEOUT, sendHighWaterMark: 0 };
const newPublisher = () => new XPublisher({ ...unlimited, verbosity: "allSubs" });

test("rooms.ts greets whoever joins, a crowd together, and knows when the last has left", async () => {
  const [endpoint] = await tcpEndpoints(1);
  const measureOnce = { "tick % 10 ": "tick % 10_000 " };
  const { stdout } = startScript(recipe("rooms", measureOnce), endpoint);
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
});

test("every sensor.ts reaches every watch.ts, and does so through the next forwarder", async () => {
  const [inside, outside] = await tcpEndpoints(2);
  const [sensor, camera] = [recipe("sensor", { "sleep(1000)": "sleep(50)" }), recipe("watch", {})];
  const sensors = ["a1/", "a2/"].map((topic) => startScript(sensor, inside, topic));
  const cameras = [1, 2].map(() => startScript(camera, "a", outside));
  for (const { stderr } of [...sensors, ...cameras]) await stderr.next(/^No server at .*: trying/);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const forwarder = await startServer(recipe("forwarder"), inside, outside, "show");
    for (const { stdout } of [...cameras, forwarder]) {
      stdout.skip();
      for (const n of [1, 2]) await stdout.next(RegExp(`^'a${n}/' '2\\d\\.\\d °C'$`));
    }
    const stranger = connect(newPublisher(), inside);
    assert.deepEqual(await receiveText(stranger), ["\x01a"]);
    for (const message of ["a", ["a", garbling.text]]) await stranger.send(message);
    for (const { stdout } of [...cameras, forwarder]) await stdout.next(`'a' ${garbling.shown}`);
    assert.ok(forwarder.stdout.all.includes("'\\x01a' ''")); // the subscription
    assert.equal(await end(forwarder, signal), notOnWindows ? signal : 0);
  }
});

test("a crashed forwarder ends; the next loses no subscription, no burst, and ends well in one", async () => {
  const [inside, outside] = await tcpEndpoints(2);
  const publisher = connect(newPublisher(), inside);
  const hear = async (subscriptions: number) => {
    for (let n = 0; n < subscriptions; n++) await publisher.receive();
  };
  const many = connect(new XSubscriber(unlimited), outside);
  for (let n = 0; n < 3000; n++) await many.send(`\x01${n}/`);
  many.receive().catch(() => {}); // A socket that is not used does not subscribe again.
  const crash = { "await to.send(frames)": 'throw new Error("a bug")' };
  const crashed = await startServer(recipe("forwarder", crash), inside, outside);
  assert.equal(await crashed.exitStatus(), 1);
  const script = recipe("forwarder", { "linger: 2000": "linger: 200" });
  const first = await startServer(script, inside, outside);
  await hear(3000);
  await end(first);
  const second = await startServer(script, inside, outside);
  await hear(3000);
  const [slow, quick] = ["burst/", "end/"].map((topic) => follow(outside, topic));
  await hear(2);
  await Promise.all([inside, outside].map(bother));
  await sendRefused(connect(new XSubscriber(), outside), `\x01${"x".repeat(1000)}`);
  await sendRefused(publisher, `end/${"x".repeat(1_000_000)}`);
  await hear(3002); // It is connected again.
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
