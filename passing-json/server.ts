#!/usr/bin/env -S node --import tsx
// Pushes a JSON job every second, to each connected worker in turn, whether it
// is busy or not. Jobs that are queued for a worker are lost when it dies.
import { setTimeout as sleep } from "node:timers/promises";
import { Push } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5567";
const socket = new Push();
await socket.bind(endpoint);

// To end the program, close() the socket: that ends this loop.
while (!socket.closed) {
  console.log("Hello world?");
  const job = JSON.stringify({ code: 200, text: "hello world" });
  try {
    await socket.send(job); // waits for a worker; may fail as the last one goes
  } catch (error) {
    console.error("Not sent: %o", job, String(error)); // The job is dropped.
  }
  await sleep(1000);
}
