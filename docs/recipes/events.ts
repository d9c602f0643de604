#!/usr/bin/env -S node --import tsx
// Publishes numbered events, and keeps the last 1,000 for whoever missed some.
// It keeps them in memory: they are lost when it ends.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Publisher, Router } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5577";
const history = process.argv[3] ?? "tcp://127.0.0.1:5578";
const socket = new Publisher({
  maxMessageSize: 1000, // bytes; a longer topic disconnects its subscriber
});
const past = new Router({
  maxMessageSize: 1000, // bytes; a larger frame disconnects its sender
});
await socket.bind(endpoint);
await past.bind(history);

const run = randomUUID(); // After a restart, the numbers begin again at 1.
const kept: string[] = [];
let first = 1; // the number of the first event that is kept

async function publish() {
  for (;;) {
    const text = `It is ${new Date().toTimeString().slice(0, 8)}`;
    // Kept before it is sent: whoever has an event can ask for earlier ones.
    kept.push(text);
    if (kept.length > 1000) {
      kept.shift();
      first++;
    }
    const number = first + kept.length - 1;
    console.log("%d %o", number, text);
    await socket.send([run, String(number), text]);
    await sleep(1000);
  }
}

// A request is [client id, "", run, number of the first event to send].
async function replay() {
  for await (const [client = "", , theirRun, number] of past) {
    const from = String(theirRun) === run ? Number(String(number)) : 1;
    const skip = Math.max(0, from - first) || 0;
    const events = kept.slice(skip);
    await past.send([client, "", run, String(first + skip), ...events]);
  }
}

await Promise.all([publish(), replay()]);
