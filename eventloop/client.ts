#!/usr/bin/env -S node --import tsx
// Asks five times and awaits each reply. It ends with an error if a reply does
// not come: a request, or its reply, is lost when the server dies.
import { Request } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5568";
const socket = new Request({
  immediate: true, // send() waits until a server is connected
  receiveTimeout: 10_000, // ms
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);

for (let n = 1; n <= 5; n++) {
  await socket.send(JSON.stringify({ n, text: "hello" }));
  // If receive() fails, the request or the reply is lost or late; the server may
  // have acted on it already. To ask again, simply make a new Request: in this
  // one, send() would wait forever, as receive() has not returned a reply.
  const [reply] = await socket.receive();
  console.log("MSG:  %o", String(reply));
}
socket.close();
