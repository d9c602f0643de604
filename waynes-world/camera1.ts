#!/usr/bin/env -S node --import tsx
// Subscribes to all that the server publishes over TCP. It misses what is sent
// before its subscription arrives, and what is sent too fast for it.
import { Subscriber } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5566";
const socket = new Subscriber({ reconnectInterval: 1000 });
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}…`);
});
socket.connect(endpoint);
socket.subscribe(); // to all messages; without this line nothing arrives

// A message is an array of frames (Buffers); these messages have one.
for await (const [message] of socket) {
  console.log("MSG 1:  %o", String(message));
}
