#!/usr/bin/env -S node --import tsx
// Pushes a JSON job every second, each to the next of the connected workers.
// While there is no worker, send() waits: no job is dropped for want of one.
import { setTimeout } from "node:timers/promises";
import { Push } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5567";
const socket = new Push();

try {
  // libzmq itself would take port 99999 for 34463.
  if (endpoint.startsWith("tcp:")) new URL(endpoint);
  await socket.bind(endpoint);
} catch (error) {
  console.error(
    `Cannot bind ${endpoint} (${error}). If in use: another server may be ` +
      "running. Otherwise try one like tcp://127.0.0.1:6000",
  );
  process.exit(1);
}

for (;;) {
  console.log("Hello world?");
  await socket.send(JSON.stringify({ code: 200, text: "hello world" }));
  await setTimeout(1000);
}
