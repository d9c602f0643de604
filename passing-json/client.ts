#!/usr/bin/env -S node --import tsx
// A worker: pulls JSON jobs. Run several, and they take turns.
// What comes over a network may be anything, so each job is checked.
import { Pull } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5567";
const socket = new Pull({ reconnectInterval: 1000 });
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}…`);
});
socket.connect(endpoint);

function parse(message?: Buffer) {
  try {
    const job: unknown = JSON.parse(String(message));
    if (!(job instanceof Object && "code" in job && "text" in job)) return;
    const { code, text } = job;
    if (typeof code !== "number" || typeof text !== "string") return;
    return { code, text };
  } catch {} // not JSON
}

for await (const [message] of socket) {
  const job = parse(message);
  if (job) console.log("%d :: %o", job.code, job.text);
  else console.error("Not a job: %o", String(message?.subarray(0, 60)));
}
