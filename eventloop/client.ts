#!/usr/bin/env -S node --import tsx
// Asks five times, without callbacks: each reply is simply awaited.
// A server that was restarted has lost the request: it is asked again.
import { accessSync } from "node:fs";
import { dirname } from "node:path";
import { Request } from "zeromq";

const usual = "tcp://127.0.0.1:5568";
const endpoint = process.argv[2] ?? usual;
// Waits 3000 ms for a reply; relaxed, it may send again when there was none.
const socket = new Request({ receiveTimeout: 3000, relaxed: true, linger: 0 });

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

for (let n = 1; n <= 5;) {
  await socket.send(JSON.stringify({ n, text: "hello" }));
  try {
    const [reply] = await socket.receive();
    console.log(`MSG: ${reply}`);
    n++;
  } catch (error) {
    const late =
      error instanceof Error && "code" in error && error.code === "EAGAIN";
    if (!late) throw error;
    socket.disconnect(endpoint); // from a reply that may still come
    socket.connect(endpoint);
  }
}
socket.close();
