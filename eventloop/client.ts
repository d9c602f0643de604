#!/usr/bin/env -S node --import tsx
// Asks five times, without callbacks: each reply is simply awaited.
// send() waits for a server, and receive() ten seconds for its reply.
import { Request } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5568";
const socket = new Request({ immediate: true, receiveTimeout: 10_000 });
socket.connect(endpoint);
socket.events.on("connect:retry", function hint() {
  console.error(`No server at ${endpoint}: waiting for one.`);
  socket.events.off("connect:retry", hint);
});

for (let n = 1; n <= 5; n++) {
  await socket.send(JSON.stringify({ n, text: "hello" }));
  const [reply] = await socket.receive();
  console.log(`MSG: ${reply}`);
}
socket.close();
