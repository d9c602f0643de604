#!/usr/bin/env -S node --import tsx
// Subscribes to what the server publishes over TCP. Run several cameras: each
// gets every message. A camera misses what is sent before its subscription
// arrives, while it is not connected, and while its queue is full.
import { Subscriber } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5566";
const socket = new Subscriber({
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);
// Without this line nothing arrives. It asks for every message;
// subscribe("Cam") would ask for those that begin with "Cam".
socket.subscribe();

// A message is an array of frames (Buffers). These messages have one frame.
for await (const [message] of socket) {
  console.log("MSG 1:  %o", String(message)); // %o escapes control characters
}
