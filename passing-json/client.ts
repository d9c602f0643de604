#!/usr/bin/env -S node --import tsx
// A worker: pulls JSON jobs. Run several, and they take turns.
// What comes over a network is only bytes until it has been checked.
import { Pull } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5567";
const socket = new Pull();
socket.connect(endpoint);
socket.events.on("connect:retry", function hint() {
  console.error(`No server at ${endpoint}: waiting for one.`);
  socket.events.off("connect:retry", hint);
});

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @returns the job in a message; nothing where the message is no job */
function parse(message: Buffer) {
  try {
    const job: unknown = JSON.parse(utf8.decode(message));
    if (!(job instanceof Object && "code" in job && "text" in job)) return;
    const { code, text } = job;
    if (typeof code !== "number" || typeof text !== "string") return;
    if (!/\p{Cc}/u.test(text)) return { code, text }; // no control characters
  } catch {} // neither UTF-8 nor JSON
}

for await (const [message] of socket) {
  const job = parse(message);
  if (job) console.log(`${job.code} :: ${job.text}`);
  else console.error("Not a job: %o", String(message).slice(0, 60));
}
