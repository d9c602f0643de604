#!/usr/bin/env -S node --import tsx
// Pushes ten jobs a second. On Ctrl-C or SIGTERM it sends no more, and ends
// when what it has queued is delivered. After eight seconds it gives up.
import { setTimeout as sleep } from "node:timers/promises";
import { Push } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5574";
const socket = new Push();
await socket.bind(endpoint);
let sent = 0;

function giveUp() {
  console.error("Gave up: not everything is delivered");
  process.exit(1); // It waits for nothing, and what is queued is lost.
}
function stop() {
  setTimeout(giveUp, 8000).unref();
  socket.close(); // What is queued is still delivered; a waiting send() fails.
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop); // Ctrl-C
// Emitted when all is delivered. The listener keeps Node running till then.
socket.events.on("end", () => console.log("Delivered: %d", sent));
console.log("Listening at %s", socket.lastEndpoint);

while (!socket.closed) {
  try {
    await socket.send(JSON.stringify({ code: sent + 1, text: "hello" }));
    sent++;
  } catch (error) {
    // Not sent: the loop tries again, unless stop() has closed the socket.
    if (!socket.closed) console.error("Not sent: %o", String(error));
  }
  await sleep(100);
}
