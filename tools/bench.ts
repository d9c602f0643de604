#!/usr/bin/env -S node --import tsx
// npm run bench [-- SIZE]: how fast the examples are on this machine. SIZE, 1
// by default, makes the loads larger or smaller.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as zmq from "zeromq";
import { freePort, ipc, tcp } from "./endpoints.ts";
import { end, endTogether, patience, root, run, start } from "./script.ts";
import type { Script } from "./script.ts";
import { format, print, row } from "./table.ts";

const size = Number(process.argv[2] ?? 1);
if (!(size > 0)) {
  console.error("SIZE must be a number above 0, like 0.1");
  process.exit(1);
}
const few = Math.ceil(2_000 * size);
const many = Math.ceil(50_000 * size);
endTogether();

/** @returns how long it takes, in ms */
async function time(work: () => Promise<unknown>) {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** Measures from the start of a script to its first line. */
function firstLine(name: string, begin: () => Script) {
  return row(name, "ms", async () => {
    let script: Script | undefined;
    const taken = await time(() => (script = begin()).stdout.next(/./));
    script?.child.kill();
    await script?.ended;
    return [taken];
  });
}

/** Measures questions that are asked one by one. */
function oneByOne(name: string, ask: () => Promise<unknown>) {
  return row(name, "µs", async () => {
    const figures: number[] = [];
    while (figures.length < few) figures.push((await time(ask)) * 1000);
    return figures;
  });
}

/** @returns a process's resident memory, as text */
function memory({ child }: Script) {
  const { stdout } = spawnSync("ps", ["-o", "rss=", "-p", `${child.pid}`]);
  return stdout ? `${format(Number(stdout) / 1024)} MiB` : "not known";
}

/** Measures scripts that print a line for each message they get. */
async function flood(
  name: string,
  script: string,
  count: number,
  socket: zmq.Push | zmq.XPublisher,
  message: string,
) {
  const endpoint = await tcp();
  await socket.bind(endpoint);
  const takers = Array.from({ length: count }, () => start(script, [endpoint]));
  const taken = () => takers.map(({ stdout }) => stdout.all.length);
  let sent = 0;
  const missing = () => taken().reduce((rest, lines) => rest - lines, sent);
  const send = async (messages: number) => {
    const begin = performance.now();
    for (sent += messages; messages > 0; messages--) await socket.send(message);
    while (missing() > 0) {
      assert(
        performance.now() - begin < patience,
        `${missing()} messages lost`,
      );
      await setTimeout(1);
    }
  };
  // A publisher hears of a subscriber; a worker is there when it has a job.
  if (socket instanceof zmq.XPublisher) await socket.receive();
  while (taken().includes(0)) await send(1);

  const early = taken();
  const before = takers.map(memory);
  await row(name, "/s", async () => [
    (many / (await time(() => send(many)))) * 1000,
  ]);
  const each = taken().map((lines, index) => lines - (early[index] ?? 0));
  const all = each.reduce((sum, lines) => sum + lines);
  const split = each.map((lines) => format((lines / all) * 100));
  print(
    "  of all",
    `${format(missing())} lost`,
    `split ${split.join(" : ")} %`,
  );
  for (const [index, taker] of takers.entries()) {
    print("  memory", memory(taker), `${before[index]} before`);
    taker.child.kill();
  }
  socket.close();
}

const { version } = JSON.parse(
  readFileSync(join(root, "node_modules/zeromq/package.json"), "utf8"),
);
console.log(
  `Node ${process.versions.node}, zeromq.js ${version}, libzmq ${zmq.version}`,
);
console.log(`${cpus().length} × ${cpus()[0]?.model.trim()}\n`);
print("", "median", "lowest to highest");

// This server needs no tsx: it has no types, so Node takes it as it is.
const publisher = "waynes-world/server.ts";
const source = readFileSync(join(root, publisher), "utf8");
const endpoints = [await tcp(), ipc()];
const node = ["--input-type=module", "--eval", source, publisher, ...endpoints];
const bare = await firstLine("start, bare Node", () =>
  run(process.execPath, node),
);
const first = await firstLine("start, ./server.ts", () =>
  start(publisher, endpoints),
);
print("  against bare Node", `${(first / bare).toFixed(1)} ×`);

const message = '{"n":1,"text":"hello"}';
const port = await freePort();
const listen = `require("net")
  .createServer((socket) => socket.setNoDelay().pipe(socket))
  .listen(${port}, "127.0.0.1", () => console.log("listening"))`;
const plain = run(process.execPath, ["--eval", listen]);
await plain.stdout.next("listening");
const wire = connect(port, "127.0.0.1").setNoDelay();
const floor = await oneByOne("plain TCP, one by one", async () => {
  wire.write(message);
  await once(wire, "data");
});
wire.destroy();
plain.child.kill();

for (const endpoint of endpoints) {
  const transport = endpoint.slice(0, 3).toUpperCase();
  const server = start("eventloop/server.ts", [endpoint]);
  await server.stdout.next(/./);
  const before = memory(server);

  const request = new zmq.Request({ linger: 0 });
  request.connect(endpoint);
  const median = await oneByOne(`echo, ${transport}, one by one`, async () => {
    await request.send(message);
    assert.equal(String(await request.receive()), message);
  });
  print("  against plain TCP", `${(median / floor).toFixed(1)} ×`);
  request.close();

  const dealer = new zmq.Dealer({ linger: 0 });
  dealer.connect(endpoint);
  const echo = async () => {
    for (let sent = 0, received = 0; received < many; received++) {
      for (; sent < Math.min(many, received + 100); sent++) {
        await dealer.send(["", message]);
      }
      assert.equal(String(await dealer.receive()), `,${message}`);
    }
  };
  await row(`echo, ${transport}, 100 in flight`, "/s", async () => [
    (many / (await time(echo))) * 1000,
  ]);
  dealer.close();
  print("  memory", memory(server), `${before} before`);
  server.child.kill();
}

const job = '{"code":200,"text":"hello world"}';
for (const [name, count] of [
  ["jobs, 1 worker", 1],
  ["jobs, 2 workers", 2],
] as const) {
  const socket = new zmq.Push({ linger: 0 });
  await flood(name, "passing-json/client.ts", count, socket, job);
}
for (const n of [1, 2]) {
  const socket = new zmq.XPublisher({ linger: 0, sendHighWaterMark: 0 });
  await flood(
    `messages, camera ${n}`,
    `waynes-world/camera${n}.ts`,
    1,
    socket,
    "x",
  );
}

console.log(`
One by one, it is the wake-ups of threads that take the time; otherwise it is
the line that is printed for each message, and that this program reads.`);
await end(0);
