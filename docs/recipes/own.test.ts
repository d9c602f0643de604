// Tests the function in own.ts, with a publisher of its own on a free port.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Subscriber, XPublisher } from "zeromq";
import { watch } from "./own.js";

await test("shows room 1, and no other", { timeout: 5000 }, async (t) => {
  const publisher = new XPublisher({ receiveTimeout: 2000 });
  const subscriber = new Subscriber();
  t.after(() => publisher.close()); // A waiting socket keeps the test running.
  t.after(() => subscriber.close());
  await publisher.bind("tcp://127.0.0.1:*"); // any free port
  subscriber.connect(publisher.lastEndpoint ?? ""); // the port that it got
  const shown = new Promise((show) => void watch(subscriber, show));

  await publisher.receive(); // The subscription is here: now nothing is missed.
  await publisher.send(["room10/", "18 °C"]);
  await publisher.send(["room1/", "21 °C"]);
  assert.equal(await shown, "21 °C");
});
