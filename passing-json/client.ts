#!/usr/bin/env -S node --import tsx
// A worker: pulls JSON jobs and prints them. Run several: they take turns.
// Jobs that are queued for a worker are lost when it dies.
import { Pull } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5567";
const socket = new Pull({
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);

type Job = { code: number; text: string };
// Anything may come over a network: this returns only what it has checked.
function parse(message?: Buffer): Job | undefined {
  try {
    const job: unknown = JSON.parse(String(message));
    if (typeof job !== "object" || job === null) return undefined;
    if (!("code" in job) || typeof job.code !== "number") return undefined;
    if (!("text" in job) || typeof job.text !== "string") return undefined;
    return { code: job.code, text: job.text };
  } catch {
    return undefined; // It is not JSON.
  }
}

for await (const [message] of socket) {
  const job = parse(message);
  // A control character (Cc) in a stranger's text could garble your terminal.
  if (job) console.log("%d :: %s", job.code, job.text.replace(/\p{Cc}/gu, "?"));
  else console.error("Not a job: %o", String(message?.subarray(0, 60)));
}
