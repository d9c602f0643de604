#!/usr/bin/env -S node --import tsx
// Publishes "Camera 1" over TCP, then "Camera 2" over IPC, again and again.
// A publisher waits for nobody: a message without a subscriber is dropped.
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Publisher } from "zeromq";

const endpoint1 = process.argv[2] ?? "tcp://127.0.0.1:5566";
const endpoint2 = process.argv[3] ?? `ipc://${tmpdir()}/waynes-world.ipc`;
const publisher1 = new Publisher();
const publisher2 = new Publisher(); // With one, each camera would get both.
// TCP first: if the port is taken, bind() fails, and a second server ends here.
// An IPC bind() does not fail: it would take the path from the first server.
await publisher1.bind(endpoint1);
await publisher2.bind(endpoint2);

for (;;) {
  console.log("Camera 1?");
  await publisher1.send("Camera 1");
  await sleep(1000);
  console.log("Camera 2?");
  await publisher2.send("Camera 2");
  await sleep(1000);
}
