#!/usr/bin/env -S node --import tsx
// Passes everything that is published to the subscribers, and subscriptions to
// the publishers. It loses messages while it is not running or a queue is full.
import { XPublisher, XSubscriber } from "zeromq";

const inside = process.argv[2] ?? "tcp://127.0.0.1:5575";
const outside = process.argv[3] ?? "tcp://127.0.0.1:5576";
const show = process.argv[4] === "show"; // prints everything that passes
const publishers = new XSubscriber({
  maxMessageSize: 1_000_000, // bytes; a larger frame disconnects its sender
  sendHighWaterMark: 0, // no limit: a full queue would lose subscriptions
});
const subscribers = new XPublisher({
  linger: 2000, // ms; then close() gives up what a slow subscriber has not read
  maxMessageSize: 1000, // bytes; a longer topic disconnects its subscriber
  sendHighWaterMark: 100_000, // messages; a slower subscriber loses some
});
await publishers.bind(inside);
await subscribers.bind(outside);

function stop() {
  publishers.close();
  subscribers.close();
}
process.once("SIGTERM", stop);
process.once("SIGINT", stop); // Ctrl-C
console.log("Forwarding.");

type Either = XPublisher | XSubscriber;

async function pass(from: Either, to: Either) {
  try {
    for await (const frames of from) {
      if (show) {
        const [name, text = ""] = frames.map(String);
        console.log("%o %o", name, text); // %o escapes control characters
      }
      await to.send(frames);
    }
  } catch (error) {
    if (!from.closed) throw error; // After stop(), an error is expected.
  }
}

// Not a Proxy: that shows nothing, and keeps a crashed process alive.
const messages = pass(publishers, subscribers);
const subscriptions = pass(subscribers, publishers);
await Promise.all([messages, subscriptions]);
console.log("Stopped.");
