#!/usr/bin/env -S node --import tsx
// Shows every event once, in order: it asks events.ts for those that it missed,
// and reports those that are no longer kept.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Request, Subscriber } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5577";
const history = process.argv[3] ?? "tcp://127.0.0.1:5578";
const file = process.argv[4] ?? ""; // remembers the next event over a restart
const socket = new Subscriber({
  heartbeatInterval: 1000, // ms; notices within 2 s that a cable was pulled
  receiveHighWaterMark: 0, // no limit: with a full queue, heartbeats crash Node
  receiveTimeout: 5000, // ms
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);
socket.subscribe();

const saved = existsSync(file) ? readFileSync(file, "utf8").split(" ") : [];
let next = Number(saved[0] ?? 1);
let run = saved[1] ?? "";

function show(text: string) {
  console.log("%d %o", next++, text); // %o escapes control characters
  if (!file) return;
  writeFileSync(`${file}.new`, `${next} ${run}`);
  renameSync(`${file}.new`, file); // A kill leaves the old file or the new one.
}

// A new Request each time: an unanswered one could not ask again. With
// linger: 0, nobody gets a request whose socket is closed.
async function catchUp() {
  const past = new Request({ linger: 0, receiveTimeout: 5000 });
  past.connect(history);
  await past.send([run, String(next)]);
  const reply = await past.receive().catch(() => undefined);
  past.close();
  if (!reply) return console.error(`No answer from ${history}: trying again`);
  const [theirRun = "", first, ...events] = reply.map(String);
  if (theirRun !== run) {
    if (run) console.error("Restarted: event %d and later may be lost", next);
    run = theirRun;
    next = 1;
  }
  const lost = Number(first) - next;
  if (lost > 0) console.error("Not kept: %d events, from %d on", lost, next);
  if (lost > 0) next += lost;
  events.forEach(show);
}

for (;;) {
  const event = await socket.receive().catch(() => []); // after a silence
  const [theirRun, number, text = ""] = event.map(String);
  if (theirRun !== run || Number(number) > next) await catchUp();
  else if (Number(number) === next) show(text);
}
