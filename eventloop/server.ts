#!/usr/bin/env -S node --import tsx
// Echoes each request. Meanwhile, the event loop does other work: it prints a
// line every second. A request or its reply is lost when the server dies.
import { Router } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5568";
// Not a Reply: its receive() rejects when a message is not a request.
const socket = new Router({
  maxMessageSize: 1_000_000, // bytes; a larger frame disconnects its sender
});
await socket.bind(endpoint);
console.log("Listening at %s", socket.lastEndpoint);
setInterval(() => console.log("tick"), 1000);

// Called for each request: [client id, "", request]. The frames before the
// request are a return address, so the reply begins with the same two.
async function echo(frames: Buffer[]) {
  const request = frames.at(-1) ?? "";
  console.log("MSG:  %o", String(request).slice(0, 60)); // It may be long.
  const answer = request; // Put your own answer here.
  await socket.send([...frames.slice(0, -1), answer]);
}

for await (const frames of socket) {
  try {
    await echo(frames); // One at a time: slow work delays every client.
  } catch (error) {
    console.error("No answer: %o", String(error)); // Its client gets none.
  }
}
