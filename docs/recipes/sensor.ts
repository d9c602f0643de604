#!/usr/bin/env -S node --import tsx
// Publishes a temperature every second, through a forwarder. It waits for
// nobody: what is sent while no forwarder is connected is lost.
import { setTimeout as sleep } from "node:timers/promises";
import { Publisher } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5575";
const topic = process.argv[3] ?? "room1/";
const socket = new Publisher({
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);

for (;;) {
  const text = `${(20 + Math.random() * 5).toFixed(1)} °C`;
  console.log("%o %o", topic, text);
  await socket.send([topic, text]);
  await sleep(1000);
}
