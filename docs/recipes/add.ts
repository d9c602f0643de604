#!/usr/bin/env -S node --import tsx
// Adds a job, and ends with status 0 when jobs.ts has it on disk. If it fails,
// run it again with the same id: no job is added twice.
import { randomUUID } from "node:crypto";
import { Request } from "zeromq";

const job = process.argv[2] ?? "";
const endpoint = process.argv[3] ?? "tcp://127.0.0.1:5569";
const id = process.argv[4] ?? randomUUID();
try {
  JSON.parse(job);
} catch {
  console.error("Not JSON: %o", job);
  process.exit(1);
}

const socket = new Request({
  immediate: true, // despite its name: send() waits for a connected server
  sendTimeout: 10_000, // ms; without it, send() waits forever
  receiveTimeout: 10_000, // ms; without it, receive() waits forever
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.events.on("disconnect", () => fail("Server gone, or job too large."));
socket.connect(endpoint);

function fail(reason: string) {
  console.error("%s To try again, use the same id: %o", reason, id);
  process.exit(1);
}

try {
  await socket.send(["add", job, id]);
  const [reply] = await socket.receive();
  if (String(reply) !== "added") fail("What replied is not jobs.ts.");
} catch {
  fail("No reply in ten seconds.");
}
console.log("Added: %o", id);
socket.close(); // A socket with a listener keeps the process alive.
