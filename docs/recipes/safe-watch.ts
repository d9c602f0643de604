#!/usr/bin/env -S node --import tsx
// Subscribes, with keys, to what safe-server.ts publishes. It ends with an
// error if the server does not let it in.
import { Subscriber } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5579";

function key(name: string) {
  const key = process.env[name] ?? "";
  if (/^[0-9a-zA-Z.:+=^!/*?&<>()[\]{}@%$#-]{40}$/.test(key)) return key;
  console.error(`${name}: ${key.length} characters; a key has 40 of Z85`);
  process.exit(1);
}

const socket = new Subscriber({
  curveServerKey: key("SERVER_KEY"), // the server's public key
  curvePublicKey: key("PUBLIC_KEY"),
  curveSecretKey: key("SECRET_KEY"),
  reconnectInterval: 1000, // ms; the default, 100, would flood the screen
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.events.on("handshake:error:auth", () => {
  console.error("The server does not let this PUBLIC_KEY in.");
  process.exit(1); // ZeroMQ would not try again.
});
socket.connect(endpoint);
socket.subscribe(); // Without this line nothing arrives.

for await (const [message] of socket) {
  console.log("%o", String(message));
}
