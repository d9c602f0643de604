#!/usr/bin/env -S node --import tsx
// Like camera1.ts, but over IPC, which connects programs on one machine through
// a socket with a file path. It misses the same messages as camera1.ts does.
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
  console.log("MSG 2:  %o", String(message));
}
