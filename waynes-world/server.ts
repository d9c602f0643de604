#!/usr/bin/env -S node --import tsx
// Publishes "Camera 1" over TCP, then "Camera 2" over IPC, by turns.
// A publisher waits for nobody: a message without a subscriber is dropped.
import { tmpdir } from "node:os";
import { setTimeout } from "node:timers/promises";
import { Publisher } from "zeromq";

let endpoint = process.argv[2] ?? "tcp://127.0.0.1:5566";
const camera1 = new Publisher();
const camera2 = new Publisher();

try {
  // libzmq itself would take port 99999 for 34463.
  if (endpoint.startsWith("tcp:")) new URL(endpoint);
  await camera1.bind(endpoint);

  // Only now: an IPC path would be taken away from a server that runs already.
  endpoint = process.argv[3] ?? `ipc://${tmpdir()}/waynes-world.ipc`;
  if (endpoint.startsWith("tcp:")) new URL(endpoint);
  await camera2.bind(endpoint);
} catch (error) {
  console.error(
    `Cannot bind ${endpoint} (${error}). If in use: another server may be ` +
      "running. Otherwise try one like tcp://127.0.0.1:6000",
  );
  process.exit(1);
}

for (;;) {
  console.log("Camera 1?");
  await camera1.send("Camera 1");
  await setTimeout(1000);

  console.log("Camera 2?");
  await camera2.send("Camera 2");
  await setTimeout(1000);
}
