#!/usr/bin/env -S node --import tsx
// Offers one file to fetch.ts. It reads and sends only the pieces that are
// asked for, so a file of any size needs little memory.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { Router } from "zeromq";

const path = process.argv[2] ?? "big.bin";
const endpoint = process.argv[3] ?? "tcp://127.0.0.1:5573";
const file = await open(path);
const { size } = await file.stat();
// The receiver compares this hash with that of its copy.
const sha256 = createHash("sha256").setEncoding("hex");
const hash = await text(createReadStream(path).pipe(sha256));
const socket = new Router({
  maxMessageSize: 1000, // bytes; a larger frame disconnects its sender
  sendHighWaterMark: 10, // pieces; a client that does not read fills no memory
});
await socket.bind(endpoint);
console.log("Offering %d bytes at %s", size, socket.lastEndpoint);

// A request is [client id, first byte, number of bytes].
async function answer(frames: Buffer[]) {
  const [client = "", first, count] = frames;
  const position = Number(String(first));
  const buffer = Buffer.alloc(Math.min(Number(String(count)), 1_000_000));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
  const piece = buffer.subarray(0, bytesRead);
  await socket.send([client, String(position), String(size), hash, piece]);
}

for await (const frames of socket) {
  try {
    await answer(frames);
  } catch (error) {
    console.error("No answer: %o", String(error)); // Its client gets none.
  }
}
