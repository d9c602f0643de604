#!/usr/bin/env -S node --import tsx
// Answers many questions at a time. On Ctrl-C or SIGTERM it takes no more, and
// ends when the answers under way are delivered, or gives up after 8 seconds.
import { setTimeout as sleep } from "node:timers/promises";
import { Router } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5571";
const socket = new Router({
  maxMessageSize: 1_000_000, // bytes; a larger frame disconnects its sender
  sendHighWaterMark: 10_000, // answers for each client; the default is 1,000
  sendTimeout: 0, // ms; no send() waits, so none has to wait for another
});
await socket.bind(endpoint);

async function think(question: string) {
  if (question === "/broken") throw new Error("no such product"); // to try it
  if (question === "/slow") await sleep(1000);
  return `The answer to ${question}\n`;
}

let underWay = 0;
let stopping = false;

// Called for each question: [client id, question id, question]. The reply
// begins with the same two frames; then come a status and the answer.
async function reply(frames: Buffer[]) {
  underWay++;
  const question = String(frames.pop());
  try {
    const answer = await think(question);
    await socket.send([...frames, "ok", answer]);
  } catch (error) {
    console.error("No answer: %o", String(error)); // for you, not the client
    await socket.send([...frames, "failed", ""]);
  }
  if (--underWay === 0 && stopping) socket.close();
}

function giveUp() {
  console.error("Gave up: not everything is delivered");
  process.exit(1); // It waits for nothing, and what is queued is lost.
}
function stop() {
  if (stopping) return; // You pressed Ctrl-C twice.
  stopping = true;
  setTimeout(giveUp, 8000).unref();
  if (underWay === 0) socket.close(); // Otherwise, the last reply() does.
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop); // Ctrl-C
// This event comes when everything is delivered; the listener waits for it.
socket.events.on("end", () => console.log("Stopped."));
console.log("Listening at %s", socket.lastEndpoint);

try {
  // Not awaited: it takes the next question while it thinks about this one.
  for await (const frames of socket) if (!stopping) void reply(frames);
} catch (error) {
  if (!socket.closed) throw error; // close() may end a receive() with an error.
}
