// npm run bench [-- SIZE]: how fast the examples are on this machine. SIZE is
// 1 by default; below, the loads are smaller.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Dealer, Publisher, Push, version } from "zeromq";
import { exitOnSignals, killAll, startProgram, startScript, withTimeout } from "./child.ts";
import { freePort, ipcEndpoint, tcpEndpoint } from "./endpoints.ts";
import { read } from "./repository.ts";

const size = Number(process.argv[2] ?? 1);
if (!(size > 0)) {
  console.error("SIZE must be a number above 0, like 0.1");
  process.exit(1);
}
const runs = 5;
const few = Math.ceil(2_000 * size);
const many = Math.ceil(50_000 * size);
exitOnSignals();

const { format } = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const print = (name: string, median: string, unit: string, range: string) =>
  console.log(`${name.padEnd(27)}${median.padStart(7)} ${unit.padEnd(4)}${range}`);

/** Measures `runs` times, after a warm-up that does not count; prints a row. */
async function row(name: string, unit: string, measure: () => Promise<number>) {
  const figures: number[] = [];
  await measure();
  while (figures.length < runs) figures.push(await measure());
  const sorted = figures.sort((a, b) => a - b).map(format);
  print(name, sorted[(runs - 1) / 2], unit, `${sorted[0]} to ${sorted[runs - 1]}`);
}

/** How long it takes, in ms. */
async function time(work: () => Promise<unknown>) {
  const begin = performance.now();
  await withTimeout(work(), "too slow, or a message was lost");
  return performance.now() - begin;
}

/** Measures from the start of Node to the first line that it prints. */
const firstLine = (name: string, ...args: string[]) =>
  row(name, "ms", async () => {
    const taken = await time(() => startProgram(process.execPath, args).stdout.next(/./));
    await killAll();
    return taken;
  });

/** Measures questions that are asked one by one. */
function oneByOne(name: string, ask: () => Promise<unknown>) {
  const askAll = async () => {
    for (let asked = 0; asked < few; asked++) await ask();
  };
  return row(name, "µs", async () => ((await time(askAll)) / few) * 1000);
}

/** Measures a load of `many` messages. */
const perSecond = (name: string, load: () => Promise<unknown>) =>
  row(name, "/s", async () => (many / (await time(load))) * 1000);

/** Measures scripts that print a line for each message they get. */
async function flood(name: string, socket: Push | Publisher, text: string, ...scripts: string[]) {
  const endpoint = await tcpEndpoint();
  await socket.bind(endpoint);
  const takers = scripts.map((script) => startScript(script, endpoint));
  const taken = () => takers.reduce((n, { stdout }) => n + stdout.all.length, 0);
  // A script that has printed a line is there.
  await time(async () => {
    while (takers.some(({ stdout }) => stdout.all.length === 0)) {
      await socket.send(text);
      await sleep(1);
    }
  });
  await perSecond(name, async () => {
    const goal = taken() + many;
    for (let sent = 0; sent < many; sent++) await socket.send(text);
    while (taken() < goal) await sleep(1);
  });
  socket.close();
  await killAll();
}

const [cpu] = cpus(); // Some systems, like Termux, report none.
const machine = cpu ? `${cpus().length} × ${cpu.model}` : "unknown processors";
console.log(`Node ${process.versions.node}, libzmq ${version}, ${machine}`);
print("", "median", "", `lowest to highest of ${runs}`);

const script = "waynes-world/server.ts";
const endpoints = [await tcpEndpoint(), ipcEndpoint()];
// This script has no types, so as it stands it is also JavaScript.
const bare = ["--input-type=module", "--eval", read(script), script];
await firstLine("start, bare Node", ...bare, ...endpoints);
await firstLine("start, with tsx", "--import", "tsx", script, ...endpoints);

const message = '{"n":1,"text":"hello"}';
const port = await freePort();
const listen = `require("net")
  .createServer((socket) => socket.setNoDelay().pipe(socket))
  .listen(${port}, "127.0.0.1", () => console.log("listening"))`;
await startProgram(process.execPath, ["--eval", listen]).stdout.next("listening");
const wire = connect(port, "127.0.0.1").setNoDelay();
await oneByOne("plain TCP, one by one", () => {
  wire.write(message);
  return once(wire, "data");
});
wire.destroy();
await killAll();

for (const endpoint of endpoints) {
  const name = `echo, ${endpoint.slice(0, 3).toUpperCase()}`;
  await startScript("eventloop/server.ts", endpoint).stdout.next(/./);
  const dealer = new Dealer();
  dealer.connect(endpoint);
  const ask = () => dealer.send(["", message]); // as a Request does
  const answer = async () => assert.equal(String(await dealer.receive()), `,${message}`);
  await oneByOne(`${name}, one by one`, () => ask().then(answer));
  await perSecond(`${name}, 100 in flight`, async () => {
    for (let sent = 0; sent < many + 100; sent++) {
      if (sent < many) await ask();
      if (sent >= 100) await answer();
    }
  });
  dealer.close();
  await killAll();
}

const job = '{"code":200,"text":"hello"}';
const worker = "passing-json/client.ts";
await flood("jobs, 1 worker", new Push(), job, worker);
await flood("jobs, 2 workers", new Push(), job, worker, worker);
// With a limit, it would drop what the camera is too slow for.
const publisher = new Publisher({ sendHighWaterMark: 0 });
await flood("messages, a camera", publisher, "x", "waynes-world/camera1.ts");
