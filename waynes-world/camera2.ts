#!/usr/bin/env -S node --import tsx
// Subscribes to all that the server publishes over IPC.
// A subscriber gets what is sent while it is connected, nothing from before.
import { tmpdir } from "node:os";
import { Subscriber } from "zeromq";

const endpoint = process.argv[2] ?? `ipc://${tmpdir()}/waynes-world.ipc`;
const socket = new Subscriber();
socket.connect(endpoint);
socket.events.on("connect:retry", function hint() {
  console.error(`No server at ${endpoint}: waiting for one.`);
  socket.events.off("connect:retry", hint);
});

socket.subscribe(); // to every topic; without this line nothing arrives
// A message is an array of frames; these messages have one.
for await (const [message] of socket) {
  console.log("MSG 2:  %o", String(message));
}
