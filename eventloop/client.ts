#!/usr/bin/env -S node --import tsx
// Asks five times; each reply is simply awaited. With immediate, send() waits
// for a server. receive() fails after ten seconds: the request may be lost. To
// ask again, make a new Request: the send() of this one would wait for ever.
import { Request } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5568";
const socket = new Request({
  immediate: true,
  receiveTimeout: 10_000,
  reconnectInterval: 1000,
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}…`);
});
socket.connect(endpoint);

for (let n = 1; n <= 5; n++) {
  await socket.send(JSON.stringify({ n, text: "hello" }));
  const [reply] = await socket.receive();
  console.log("MSG:  %o", String(reply));
}
socket.close();
