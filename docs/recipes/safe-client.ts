#!/usr/bin/env -S node --import tsx
// Asks every second, with keys. It ends with an error if a reply does not come,
// or if the server does not let it in.
import { setTimeout as sleep } from "node:timers/promises";
import { Request } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5572";

function key(name: string) {
  const key = process.env[name] ?? "";
  if (/^[0-9a-zA-Z.:+=^!/*?&<>()[\]{}@%$#-]{40}$/.test(key)) return key;
  console.error(`${name}: ${key.length} characters; a key has 40 of Z85`);
  process.exit(1);
}

const socket = new Request({
  curveServerKey: key("SERVER_KEY"), // the server's public key
  curvePublicKey: key("PUBLIC_KEY"),
  curveSecretKey: key("SECRET_KEY"),
  immediate: true, // despite its name: send() waits for a connected server
  receiveTimeout: 10_000, // ms; without it, receive() waits forever
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

for (let n = 1; ; n++) {
  await socket.send(`question ${n}`);
  const [reply] = await socket.receive();
  console.log("%o", String(reply)); // %o escapes control characters
  await sleep(1000);
}
