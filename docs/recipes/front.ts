#!/usr/bin/env -S node --import tsx
// Asks a service for many browsers at a time. After a lost connection it asks
// again, so the service may get a question twice.
import { createServer, type ServerResponse } from "node:http";
import { Dealer } from "zeromq";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:5568";
const port = Number(process.argv[3] ?? 8080);
const host = process.argv[4] ?? "127.0.0.1";
const socket = new Dealer({
  heartbeatInterval: 1000, // ms; notices within 2 s that the server lost power
  immediate: true, // queues nothing for a server that is not connected
  receiveHighWaterMark: 0, // no limit: with a full queue, heartbeats crash Node
  reconnectInterval: 500, // ms; the default, 100, would flood the screen
  sendHighWaterMark: 10_000, // questions in the queue; the default is 1,000
  sendTimeout: 0, // ms; no send() waits, so none has to wait for another
});
socket.events.on("connect:retry", () => {
  console.error(`No server at ${endpoint}: trying again`);
});
socket.connect(endpoint);

const waiting = new Map<string, ServerResponse>();
let requests = 0;

function ask(id: string, { req }: ServerResponse) {
  // Without a server, this question waits for askAgain().
  if (socket.writable) socket.send([id, req.url ?? ""]).catch(() => {});
}

// A lost connection takes questions and answers with it. Leave this out if a
// question must not be asked twice.
function askAgain() {
  for (const [id, response] of waiting) ask(id, response);
}
socket.events.on("handshake", askAgain); // A server is connected.
// For a moment, ZeroMQ still deals questions to the lost connection.
socket.events.on("disconnect", () => setTimeout(askAgain, 100));

function answer(id: string, status: number, body: Buffer | string) {
  const type = { "content-type": "text/plain; charset=utf-8" };
  waiting.get(id)?.writeHead(status, type).end(body);
  waiting.delete(id);
}

const server = createServer((_request, response) => {
  const id = String(++requests);
  waiting.set(id, response);
  ask(id, response);
  setTimeout(() => answer(id, 504, "No answer in five seconds.\n"), 5000);
});
server.listen(port, host, () => console.log(`Listening at ${host}:${port}`));

// [id, status, answer] or, from a service without a status, [id, answer]
for await (const [id, ...frames] of socket) {
  const body = frames.pop() ?? "";
  const failed = String(frames.pop() ?? "ok") !== "ok";
  if (failed) answer(String(id), 500, "The service failed.\n");
  else answer(String(id), 200, body);
}
