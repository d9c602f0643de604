#!/usr/bin/env -S node --import tsx
// npm run bench [-- SIZE]: how fast the examples are on this machine. SIZE, 1
// by default, makes the loads larger or smaller.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as zmq from "zeromq";
import { freePort, ipc, tcp } from "./endpoints.ts";
import { end, endTogether, patience, root, run, type Script, start } from "./script.ts";

const RUNS = 5;
const size = Number(process.argv[2] ?? 1);
if (!(size > 0)) {
  console.error("SIZE must be a number above 0, like 0.1");
  process.exit(1);
}
const few = Math.ceil(2_000 * size);
const many = Math.ceil(50_000 * size);
endTogether();

const digits = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const format = (value: number, unit: string) => `${digits.format(value)} ${unit}`;

/** @param part 0.5 for the median, 0.99 for p99 */
function quantile(values: number[], part: number) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((values.length - 1) * part)] ?? NaN;
}

/** Prints a row; its name alone is shown on a terminal until the rest comes. */
function print(name: string, median = "", spread = "", note = "") {
  const line =
    `${name.padEnd(24)}${median.padStart(12)}  ${spread.padEnd(18)} ${note}`;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line.trimEnd()}`);
  if (median) console.log(process.stdout.isTTY ? "" : line.trimEnd());
}

/**
 * Measures a row: several times, after a warm-up that does not count.
 * @param measure returns a figure in that unit
 * @param note what to say, given the median
 */
async function row(
  name: string,
  unit: string,
  measure: () => Promise<number>,
  note = (_median: number) => "",
) {
  print(name);
  await measure();
  const figures: number[] = [];
  while (figures.length < RUNS) figures.push(await measure());
  const median = quantile(figures, 0.5);
  const [low, high] = [0, 1].map((part) => digits.format(quantile(figures, part)));
  print(name, format(median, unit), `${low} to ${high}`, note(median));
  return median;
}

/** Measures from the start of a script to its first line. */
function firstLine(
  name: string, begin: () => Script, note?: (median: number) => string,
) {
  return row(name, "ms", async () => {
    const before = performance.now();
    const script = begin();
    await script.stdout.next(/./);
    const after = performance.now();
    script.child.kill();
    await script.ended;
    return after - before;
  }, note);
}

/** Measures questions that are asked one by one. */
function oneByOne(name: string, ask: () => Promise<unknown>) {
  const all: number[] = [];
  return row(name, "µs", async () => {
    const figures: number[] = [];
    for (let n = 0; n < few; n++) {
      const before = performance.now();
      await ask();
      figures.push((performance.now() - before) * 1000);
    }
    all.push(...figures);
    return quantile(figures, 0.5);
  }, (median) =>
    `p99 ${format(quantile(all, 0.99), "µs")}, ${format(1e6 / median, "/s")}`);
}

/** @returns a process's resident memory, as text */
function memory({ child }: Script) {
  const { stdout } = spawnSync("ps", ["-o", "rss=", "-p", `${child.pid}`]);
  return stdout ? format(Number(stdout) / 1024, "MiB") : "not known";
}

/** Sends to scripts that print a line a message, as fast as they take them. */
async function flood(
  script: string, count: number, socket: zmq.Push | zmq.XPublisher, message: string,
) {
  const endpoint = await tcp();
  await socket.bind(endpoint);
  const takers = Array.from({ length: count }, () => start(script, [endpoint]));
  const taken = () => takers.map(({ stdout }) => stdout.all.length);
  let sent = 0;
  const missing = () => taken().reduce((rest, lines) => rest - lines, sent);
  const send = async (messages: number) => {
    const begin = performance.now();
    for (let n = 0; n < messages; n++) await socket.send(message);
    sent += messages;
    while (missing() > 0) {
      assert(performance.now() - begin < patience, `${missing()} messages lost`);
      await setTimeout(1);
    }
    return (messages / (performance.now() - begin)) * 1000;
  };
  // A publisher hears of a subscriber; a worker is there when it has a job.
  if (socket instanceof zmq.XPublisher) await socket.receive();
  while (taken().includes(0)) await send(1);

  const before = takers.map(memory);
  await row(`${count} × ${basename(script)}`, "/s", () => send(many));
  const split = taken().map((lines) => digits.format((lines / sent) * 100));
  print("  of all", format(missing(), "lost"), `split ${split.join(" : ")} %`);
  for (const [index, taker] of takers.entries()) {
    print("  memory", memory(taker), `${before[index]} before`);
    taker.child.kill();
  }
  socket.close();
}

const { version } = JSON.parse(
  readFileSync(join(root, "node_modules/zeromq/package.json"), "utf8"));
console.log(
  `Node ${process.versions.node}, zeromq.js ${version}, libzmq ${zmq.version}\n` +
  `${cpus().length} × ${cpus()[0]?.model.trim()}\n`);
print("", "median", "lowest to highest");

// This server needs no tsx: it has no types, so Node takes it as it is.
const publisher = "waynes-world/server.ts";
const source = readFileSync(join(root, publisher), "utf8");
const endpoints = [await tcp(), ipc()];
const evaluate = ["--input-type=module", "--eval", source, publisher, ...endpoints];
const bare = await firstLine("start, bare Node",
  () => run(process.execPath, evaluate));
await firstLine("start, ./server.ts", () => start(publisher, endpoints),
  (median) => `${(median / bare).toFixed(1)} × bare Node`);

const message = '{"n":1,"text":"hello"}';
const port = await freePort();
const plain = run(process.execPath, ["--eval", `require("net")
  .createServer((socket) => socket.setNoDelay().pipe(socket))
  .listen(${port}, "127.0.0.1", () => console.log("listening"))`]);
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
  await row(`echo, ${transport}, 100 in flight`, "/s", async () => {
    const begin = performance.now();
    for (let sent = 0, received = 0; received < many; received++) {
      for (; sent < Math.min(many, received + 100); sent++) {
        await dealer.send(["", message]);
      }
      assert.equal(String(await dealer.receive()), `,${message}`);
    }
    return (many / (performance.now() - begin)) * 1000;
  });
  dealer.close();
  print("  memory", memory(server), `${before} before`);
  server.child.kill();
}

const job = '{"code":200,"text":"hello world"}';
for (const count of [1, 2]) {
  await flood("passing-json/client.ts", count, new zmq.Push({ linger: 0 }), job);
}
for (const camera of ["camera1.ts", "camera2.ts"]) {
  const socket = new zmq.XPublisher({ linger: 0, sendHighWaterMark: 0 });
  await flood(`waynes-world/${camera}`, 1, socket, "Camera 1");
}

console.log(`
One by one, it is the wake-ups of threads that take the time; otherwise it is
the line that is printed for each message, and that this program reads.`);
await end(0);
