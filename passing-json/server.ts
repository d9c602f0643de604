#!/usr/bin/env -S node --import tsx
// Pushes a JSON job every second, each to the next of the connected workers.
// While there is none, send() waits. What is queued for one is lost with it.
import { setTimeout } from "node:timers/promises";
import { Push } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5567";
const socket = new Push();
await socket.bind(endpoint).catch((error) => {
  console.error(`Cannot bind ${error.address}: ${error.message}`);
  process.exit(1);
});

for (;;) {
  console.log("Hello world?");
  const job = JSON.stringify({ code: 200, text: "hello world" });
  // Where the only worker leaves at that moment, send() rejects with EAGAIN.
  await socket.send(job).catch((error) => {
    if (error.code !== "EAGAIN") throw error;
  });
  await setTimeout(1000);
}
