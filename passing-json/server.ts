#!/usr/bin/env -S node --import tsx
// Pushes a JSON job every second, to each connected worker in turn, however
// busy it is. Jobs that are queued for a worker are lost when it dies.
import { setTimeout as sleep } from "node:timers/promises";
import { Push } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5567";
const socket = new Push();
await socket.bind(endpoint);

// A copy that ends on a signal calls close(), and that ends this loop.
while (!socket.closed) {
  console.log("Hello world?");
  const job = JSON.stringify({ code: 200, text: "hello world" });
  try {
    await socket.send(job); // waits while no worker is connected
  } catch (error) {
    // This job is dropped: for example, its only worker has just left.
    console.error("Not sent: %o", job, String(error));
  }
  await sleep(1000);
}
