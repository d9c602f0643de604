#!/usr/bin/env -S node --import tsx
// Pushes a JSON job every second, each to the next of the connected workers.
// Without one, send() waits. What is queued for a worker is lost with it.
import { setTimeout } from "node:timers/promises";
import { Push } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5567";
const socket = new Push();
await socket.bind(endpoint);

while (!socket.closed) {
  console.log("Hello world?");
  const job = JSON.stringify({ code: 200, text: "hello world" });
  // send() fails if the last worker leaves just then.
  await socket.send(job).catch(() => console.error("Not sent: %o", job));
  await setTimeout(1000);
}
