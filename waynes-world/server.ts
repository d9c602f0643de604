#!/usr/bin/env -S node --import tsx
// Publishes "Camera 1" over TCP, then "Camera 2" over IPC, again and again.
// A publisher waits for nobody: a message without a subscriber is dropped.
import { tmpdir } from "node:os";
import { setTimeout } from "node:timers/promises";
import { Publisher } from "zeromq";

const endpoint1 = process.argv[2] ?? "tcp://127.0.0.1:5566";
const endpoint2 = process.argv[3] ?? `ipc://${tmpdir()}/waynes-world.ipc`;
const camera1 = new Publisher();
const camera2 = new Publisher();
// TCP first: if a server is running already, this one ends here, with an
// error. To bind the IPC path first would take it away from that server.
await camera1.bind(endpoint1);
await camera2.bind(endpoint2);

for (;;) {
  console.log("Camera 1?");
  await camera1.send("Camera 1");
  await setTimeout(1000);
  console.log("Camera 2?");
  await camera2.send("Camera 2");
  await setTimeout(1000);
}
