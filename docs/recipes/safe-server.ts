#!/usr/bin/env -S node --import tsx
// Echoes what its friends ask, and publishes it to them. Nobody else gets in,
// or can read what passes. FRIENDS contains the friends' public keys.
import { Publisher, Reply, Router } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5572";
const newsEndpoint = process.argv[3] ?? "tcp://127.0.0.1:5579";
const digits = // of Z85, which curveKeyPair() spells keys in
  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
const isKey = /^[0-9a-zA-Z.:+=^!/*?&<>()[\]{}@%$#-]{40}$/;

function keys(name: string) {
  const keys = (process.env[name] ?? "").split(" ");
  const wrong = keys.find((key) => !isKey.test(key));
  if (wrong === undefined) return keys;
  console.error(`${name}: ${wrong.length} characters; a key has 40 of Z85`);
  process.exit(1);
}

function z85(key: Buffer) {
  return Array.from({ length: 40 }, (_, n) => {
    const word = key.readUInt32BE(Math.floor(n / 5) * 4);
    return digits[Math.floor(word / 85 ** (4 - (n % 5))) % 85];
  }).join("");
}

// ZeroMQ asks the doorkeeper about each client of each socket with a zapDomain.
async function keepDoor(doorkeeper: Reply, friends: Record<string, string[]>) {
  for await (const [version = "", id = "", domain, , , , key] of doorkeeper) {
    let status = "300"; // not now: the client tries again in half a minute
    try {
      const list = friends[String(domain)] ?? [];
      status = key && list.includes(z85(key)) ? "200" : "400";
    } catch (error) {
      console.error("The doorkeeper failed: %o", String(error));
    }
    await doorkeeper.send([version, id, status, "", "", ""]);
  }
}

const friends = keys("FRIENDS");
const doorkeeper = new Reply(); // A server that ends has to close() it as well.
await doorkeeper.bind("inproc://zeromq.zap.01"); // one for the whole process
void keepDoor(doorkeeper, { friends }); // one list for each zapDomain
const options = {
  curveServer: true,
  curveSecretKey: keys("SECRET_KEY")[0] ?? "",
  zapDomain: "friends",
  zapEnforceDomain: true, // Without a doorkeeper, nobody gets in.
};
const socket = new Router({ ...options, maxMessageSize: 1_000_000 }); // bytes
const news = new Publisher(options);
await socket.bind(endpoint);
await news.bind(newsEndpoint);
console.log("Friends: %d", friends.length);

for await (const frames of socket) {
  await socket.send(frames);
  await news.send(frames.at(-1) ?? "");
}
