#!/usr/bin/env -S node --import tsx
// Asks five times and awaits each reply. It waits forever for a server, but ten
// seconds for a reply: a request or its reply is lost when the server dies.
import { Request } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5568";
const socket = new Request({
  immediate: true, // despite its name: send() waits for a connected server
  receiveTimeout: 10_000, // ms; without it, receive() waits forever
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);

for (let n = 1; n <= 5; n++) {
  await socket.send(JSON.stringify({ n, text: "hello" }));
  // If this fails, the request or the reply is lost or late, and the server may
  // have acted on it already. The simplest way to ask again is a new Request:
  // on this one, send() would wait forever, as it still has no reply.
  const [reply] = await socket.receive();
  console.log("MSG:  %o", String(reply)); // %o escapes control characters
}
socket.close(); // A socket with a listener keeps the process alive.
