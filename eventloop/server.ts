#!/usr/bin/env -S node --import tsx
// Echoes every message: the event loop calls echo() for each one that arrives,
// and does other work in between.
import { Readable } from "node:stream";
import { Reply } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5568";
const socket = new Reply();

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

async function* messages() {
  for (;;) {
    try {
      yield await socket.receive();
    } catch (error) {
      // EAGAIN: libzmq dropped what was no request. Anybody who reaches the
      // port can send such a thing, and must not end the server with it.
      const dropped =
        error instanceof Error && "code" in error && error.code === "EAGAIN";
      if (!dropped) throw error;
    }
  }
}

function echo(frames: Buffer[]) {
  console.log("MSG:  %o", frames.join(" | "));
  socket.send(frames); // no await: a Reply sends at once, or drops
}

Readable.from(messages()).on("data", echo);
console.log("The event loop is running.");
