#!/usr/bin/env -S node --import tsx
// Keeps jobs in a file, hands them out to workers that ask, and writes down how
// each job ended. No job is lost, but one may be done twice.
import { randomUUID } from "node:crypto";
import { createSocket } from "node:dgram";
import fs from "node:fs";
import { Router } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5569";
const file = process.argv[3] ?? "jobs.log";
const limit = 10_000; // ms; longer than any job takes
const socket = new Router({
  heartbeatInterval: 1000, // ms; ends connections that a cut cable has left
  maxMessageSize: 1_000_000, // bytes; a larger frame disconnects its sender
});
// The lock: a UDP port for each file, which only one process can bind.
const fd = fs.openSync(file, "a");
const port = 10_000 + (fs.fstatSync(fd).ino % 22_000);
const lock = createSocket("udp4").on("error", (error) => {
  console.error("%s: another jobs.ts uses it? %s", file, String(error));
  process.exit(1);
});
await new Promise<void>((bound) => lock.bind(port, "127.0.0.1", bound));

type Job = { text: string; tickets: string[]; timer?: NodeJS.Timeout };
const jobs = new Map<string, Job | undefined>(); // undefined: it has ended
const waiting = new Set<string>();

// Applies a line of the file, whether it is old or has just been written.
function apply(text: string) {
  const line: unknown = JSON.parse(text);
  if (typeof line !== "object" || !line || !("id" in line)) return;
  const id = String(line.id);
  const job = jobs.get(id);
  waiting.delete(id);
  clearTimeout(job?.timer);
  if ("job" in line) {
    jobs.set(id, { text: String(line.job), tickets: [] });
    waiting.add(id);
  } else if (job && "ticket" in line) {
    job.tickets.push(String(line.ticket));
    job.timer = setTimeout(() => waiting.add(id), limit);
  } else jobs.set(id, undefined); // done or failed
}

function write(line: object) {
  const text = JSON.stringify(line);
  try {
    fs.appendFileSync(fd, `${text}\n`);
    if ("job" in line) fs.fsyncSync(fd); // It survives a power cut.
  } catch (error) {
    console.error("%s: %s", file, String(error));
    process.exit(1);
  }
  if ("failed" in line) console.error("%o", text);
  apply(text);
}
// After the last line break is half a line, cut off by a full disk or a kill.
const log = fs.readFileSync(file);
fs.truncateSync(file, log.lastIndexOf("\n") + 1);
for (const text of String(log).split("\n").slice(0, -1)) apply(text);
await socket.bind(endpoint);
console.log("Listening at %s; waiting: %d", socket.lastEndpoint, waiting.size);

// A message is [peer, "", what, …]; the reply begins with the same two frames.
for await (const [peer = "", empty = "", ...frames] of socket) {
  const [what = "", text = "", id = "", ticket = ""] = frames.map(String);
  let reply = [what === "add" ? "added" : ""];
  if (what === "add" && !jobs.has(id)) write({ id, job: text });
  if (jobs.get(id)?.tickets.includes(ticket))
    write(what === "done" ? { id, done: text } : { id, failed: text });
  const [next = ""] = what === "ready" ? waiting : [];
  const job = jobs.get(next);
  if (job?.tickets.length === 3) write({ id: next, failed: "no report" });
  else if (job) {
    write({ id: next, ticket: randomUUID() }); // Only this worker knows it.
    reply = [next, job.tickets.at(-1) ?? "", job.text];
  }
  await socket.send([peer, empty, ...reply]);
}
