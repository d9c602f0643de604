#!/usr/bin/env -S node --import tsx
// Subscribes to a topic: to every message whose first frame begins with it. It
// misses what is sent while it is not connected, and while its queue is full.
import { Subscriber } from "zeromq";

const topic = process.argv[2] ?? "room1/";
const endpoint = process.argv[3] ?? "tcp://127.0.0.1:5570";
const socket = new Subscriber({
  heartbeatInterval: 1000, // ms; notices within 2 s that a cable was pulled
  receiveHighWaterMark: 0, // no limit: with a full queue, heartbeats crash Node
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);
socket.subscribe(topic); // For several topics, call it once for each.

for await (const frames of socket) {
  const [name, text] = frames.map(String);
  console.log("%o %o", name, text); // %o escapes control characters
}
