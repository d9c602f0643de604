#!/usr/bin/env -S node --import tsx
// A worker: pulls JSON jobs. Run several, and they take turns.
// What comes over a network is only bytes until it has been checked.
import assert from "node:assert/strict";
import { accessSync } from "node:fs";
import { dirname } from "node:path";
import { Pull } from "zeromq";

const usual = "tcp://127.0.0.1:5567";
const endpoint = process.argv[2] ?? usual;
const socket = new Pull();

try {
  // libzmq itself would take port 99999 for 34463, and any path at all.
  if (endpoint.startsWith("tcp:")) new URL(endpoint);
  if (endpoint.startsWith("ipc:")) accessSync(dirname(endpoint.slice(6)));
  socket.connect(endpoint);
} catch (error) {
  console.error(`Cannot connect to ${endpoint} (${error}): try ${usual}`);
  process.exit(1);
}

socket.events.on("connect:retry", function sayOnce() {
  console.error(`No server at ${endpoint} yet: waiting for one.`);
  socket.events.off("connect:retry", sayOnce);
});

const utf8 = new TextDecoder("utf-8", { fatal: true });
for await (const [message] of socket) {
  try {
    const job: Record<string, unknown> = JSON.parse(utf8.decode(message));
    const { code, text } = job;
    assert(typeof code === "number" && typeof text === "string");
    console.log(`${code} :: ${text}`);
  } catch {
    console.error("Not a job: %o", String(message).slice(0, 60));
  }
}
