#!/usr/bin/env -S node --import tsx
// Like camera1.ts, but over IPC: a local socket with a file path, for programs
// on one machine. It misses messages in the same cases as camera1.ts.
import { tmpdir } from "node:os";
import { Subscriber } from "zeromq";

const endpoint = process.argv[2] ?? `ipc://${tmpdir()}/waynes-world.ipc`;
const socket = new Subscriber({
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);
socket.subscribe(); // Without this line nothing arrives.

for await (const [message] of socket) {
  console.log("MSG 2:  %o", String(message)); // %o escapes control characters
}
