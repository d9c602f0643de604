#!/usr/bin/env -S node --import tsx
// Publishes the temperature of three rooms every second. Whoever subscribes
// gets the latest one without waiting for the next. Slow subscribers lose some.
import { setTimeout as sleep } from "node:timers/promises";
import { XPublisher } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5570";
const socket = new XPublisher({
  heartbeatInterval: 1000, // ms; notices within 2 s that a cable was pulled
  maxMessageSize: 1000, // bytes; a longer topic disconnects its subscriber
  verbosity: "allSubs", // reports every subscriber, not only a topic's first
});
await socket.bind(endpoint);

// A subscription matches every topic that begins with it. So a topic needs an
// end: without the slash, a subscription to room1 would also get room10.
const topics = ["room1/", "room2/", "room10/"];
const latest = new Map<string, string>(); // the last message of each topic
const due = new Set<string>(); // the topics to send at the next tick

function measure() {
  for (const topic of topics) {
    latest.set(topic, `${(20 + Math.random() * 5).toFixed(1)} °C`);
    due.add(topic);
  }
}

// An XPublisher also receives: a byte 1 and a prefix when somebody subscribes,
// a byte 0 and a prefix when the last subscriber with this prefix has left.
async function listen() {
  for await (const [message] of socket) {
    const prefix = String(message?.subarray(1));
    // %o escapes control characters.
    if (message?.[0] === 0) console.log("No longer watched: %o", prefix);
    if (message?.[0] !== 1) continue;
    console.log("Watched: %o", prefix);
    for (const topic of topics) if (topic.startsWith(prefix)) due.add(topic);
  }
}

// However many subscribe at once, a topic is sent at most once a tick.
async function publish() {
  for (let tick = 0; ; tick++) {
    if (tick % 10 === 0) measure();
    const now = [...due];
    due.clear();
    for (const topic of now) {
      await socket.send([topic, latest.get(topic) ?? ""]);
    }
    await sleep(100);
  }
}

await Promise.all([listen(), publish()]);
