#!/usr/bin/env -S node --import tsx
// Subscribes to all that the server publishes over TCP.
// A subscriber gets what is sent while it is connected, nothing from before.
import { accessSync } from "node:fs";
import { dirname } from "node:path";
import { Subscriber } from "zeromq";

const usual = "tcp://127.0.0.1:5566";
const endpoint = process.argv[2] ?? usual;
const socket = new Subscriber();

try {
  // libzmq itself would take port 99999 for 34463, and any path at all.
  if (endpoint.startsWith("tcp:")) new URL(endpoint);
  if (endpoint.startsWith("ipc:")) accessSync(dirname(endpoint.slice(6)));
  socket.connect(endpoint);
} catch (error) {
  console.error(`Cannot connect to ${endpoint} (${error}): try ${usual}`);
  process.exit(1);
}

socket.events.on("connect:retry", function sayOnce() {
  console.error(`No server at ${endpoint} yet: waiting for one.`);
  socket.events.off("connect:retry", sayOnce);
});

socket.subscribe(); // to every topic; without this line nothing arrives
for await (const [message] of socket) {
  console.log("MSG 1:  %o", String(message));
}
