#!/usr/bin/env -S node --import tsx
// Fetches the file that offer.ts offers, and continues where it was after a
// restart of either. FILE.part becomes FILE when it is complete.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { Dealer } from "zeromq";

const path = process.argv[2] ?? "copy.bin";
const endpoint = process.argv[3] ?? "tcp://127.0.0.1:5573";
const part = `${path}.part`;
const socket = new Dealer({
  immediate: true, // despite its name: send() waits for a connected server
  receiveTimeout: 5000, // ms
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);

const PIECE = 250_000; // bytes
const AHEAD = 4 * PIECE; // bytes that are asked for, and not here yet
const file = await open(part, "a");
let have = (await file.stat()).size;
let asked = have;
let size = Infinity; // until the first reply
let hash = "";

while (have < size) {
  for (; asked < Math.min(size, have + AHEAD); asked += PIECE) {
    await socket.send([String(asked), String(PIECE)]);
  }
  const reply = await socket.receive().catch(() => []);
  if (reply.length === 0) asked = have; // All replies are lost: ask again.
  const [position, total, sum, piece] = reply;
  if (!piece || Number(String(position)) !== have) continue; // an old one
  size = Number(String(total));
  hash = String(sum);
  if (piece.length === 0) break; // The file ends here.
  await file.appendFile(piece);
  have += piece.length;
}
socket.close();
await file.close();

const sha256 = createHash("sha256").setEncoding("hex");
if ((await text(createReadStream(part).pipe(sha256))) === hash) {
  await rename(part, path);
  console.log("%s: complete, %d bytes", path, have);
} else {
  await rm(part);
  console.error("%s: the file was changed meanwhile. Start again.", path);
  process.exitCode = 1;
}
