#!/usr/bin/env -S node --import tsx
// Echoes every message: the event loop calls echo() for each one that arrives,
// and does other work in between.
import { Reply } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5568";
const socket = new Reply();
await socket.bind(endpoint).catch((error) => {
  console.error(`Cannot bind ${error.address}: ${error.message}`);
  process.exit(1);
});

async function onMessage(callback: (frames: Buffer[]) => Promise<void>) {
  for (;;) {
    // Anybody can send what is no request. libzmq drops it, and receive()
    // rejects with EAGAIN, which must not end the server.
    await socket.receive().then(callback, (error) => {
      if (error.code !== "EAGAIN") throw error;
    });
  }
}

async function echo(frames: Buffer[]) {
  console.log("MSG:  %o", frames.join(" | "));
  await socket.send(frames);
}

onMessage(echo);
console.log("The event loop is running.");
