#!/usr/bin/env -S node --import tsx
// Echoes every message: echo() is called for each one that arrives. Meanwhile,
// the event loop does other work, too: it prints a line every second.
import { Router } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5568";
const socket = new Router();
await socket.bind(endpoint);
console.log("The event loop is running.");
setInterval(() => console.log("tick"), 1000);

// The first frame is the sender's id, the last one what it said. A Router sends
// a message to whom the first frame names: to send all frames back is to reply.
async function echo(frames: Buffer[]) {
  console.log("MSG:  %o", String(frames.at(-1)?.subarray(0, 60)));
  await socket.send(frames);
}

for await (const frames of socket) await echo(frames);
