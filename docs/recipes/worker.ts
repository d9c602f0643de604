#!/usr/bin/env -S node --import tsx
// Asks jobs.ts for jobs, does them one at a time, and reports. Run several: the
// job of a worker that dies is handed out again.
import { setTimeout as sleep } from "node:timers/promises";
import { Request } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5569";

// Put your own work here. If it throws, the job has failed, for that reason.
async function work(job: unknown) {
  if (typeof job !== "object" || job === null) throw new Error("not an object");
  if (!("picture" in job)) throw new Error("no picture");
  await sleep(1000);
}

function connect() {
  const socket = new Request({
    immediate: true, // despite its name: send() waits for a connected server
    receiveTimeout: 5000, // ms; without it, receive() waits forever
    reconnectInterval: 1000, // ms; the default, 100, would flood the screen
    tcpMaxRetransmitTimeout: 4000, // ms; or an old question could come later
  });
  socket.events.on("connect:retry", () => {
    console.error(`No server at ${endpoint}: trying again`);
  });
  socket.connect(endpoint);
  return socket;
}
let socket = connect();

// Asks until a reply comes. To ask again, it takes a new Request: in the old
// one, send() would wait forever, and a late reply could pass for another one.
async function ask(...question: string[]) {
  for (;;) {
    try {
      await socket.send(question);
      return (await socket.receive()).map(String);
    } catch {
      socket.close();
      socket = connect();
    }
  }
}

for (;;) {
  const [id = "", ticket = "", text = ""] = await ask("ready");
  if (!ticket) {
    await sleep(1000); // No job is waiting.
    continue;
  }
  console.log("%o %o", id, text.slice(0, 60)); // %o escapes control characters
  try {
    await work(JSON.parse(text));
    await ask("done", "", id, ticket);
  } catch (error) {
    const reason = String(error).slice(0, 1000);
    console.error("Failed: %o %o", id, reason);
    await ask("failed", reason, id, ticket);
  }
}
