// npm start [-- EXAMPLE [ENDPOINT …]]: shows an example in one terminal.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { exitOnSignals, startProgram } from "./child.ts";
import { temporaryFolder } from "./endpoints.ts";
import { root } from "./repository.ts";

const [example = "waynes-world", first, second] = process.argv.slice(2);
const jobs = first ?? "tcp://127.0.0.1:5569";
const inside = first ?? "tcp://127.0.0.1:5575";
const outside = second ?? "tcp://127.0.0.1:5576";
const log = join(temporaryFolder(), "jobs.log");

/**
 * The programs of each example, the one that binds first: a label, which begins with the file, and
 * arguments. An endpoint that is not given is left out.
 */
const shows: { [example: string]: { [label: string]: (string | undefined)[] } } = {
  "waynes-world": { "server.ts": [first, second], "camera1.ts": [first], "camera2.ts": [second] },
  "passing-json": { "server.ts": [first], "client.ts 1": [first], "client.ts 2": [first] },
  eventloop: { "server.ts": [first], "client.ts": [first] },
  jobs: {
    "jobs.ts": [jobs, log],
    "worker.ts 1": [jobs],
    "worker.ts 2": [jobs],
    "add.ts 1": ['{"picture":"sunset.png"}', jobs],
    "add.ts 2": ['{"picture":"beach.png"}', jobs],
  },
  topics: { "rooms.ts": [first], "watch.ts 1": ["room1/", first], "watch.ts 2": ["room2/", first] },
  forwarder: {
    "forwarder.ts": [inside, outside],
    "sensor.ts 1": [inside, "room1/"],
    "sensor.ts 2": [inside, "room2/"],
    "watch.ts 1": ["room1/", outside],
    "watch.ts 2": ["room2/", outside],
  },
};

if (!Object.hasOwn(shows, example)) {
  console.error(`No example ${example}; there are ${Object.keys(shows).join(", ")}.`);
  process.exit(1);
}
exitOnSignals();

const folder = existsSync(join(root, example)) ? example : "docs/recipes";
const labels = Object.keys(shows[example]);
const width = Math.max(...labels.map((label) => label.length)) + 1;

/** Starts a program whose lines are shown, and whose failure ends all. */
function show(label: string) {
  const [file] = label.split(" ");
  const args = shows[example][label].filter((arg) => arg !== undefined);
  const words = ["--import", "tsx", `${folder}/${file}`, ...args];
  // Unlike a test, with all of the user's settings.
  const program = startProgram(process.execPath, words, { env: process.env });
  for (const { reader } of [program.stdout, program.stderr]) {
    reader.on("line", (line) => console.log(label.padEnd(width), line));
  }
  program.ended.then((status) => {
    if (status !== 0) process.exit(typeof status === "number" ? status : 1);
  });
  return program;
}

/** Shows a client, again whenever it is done. */
async function showAgainAndAgain(client: string) {
  for (;;) {
    await show(client).ended;
    await sleep(1000);
  }
}

// Most servers print a line when they are bound. Then no client has to wait.
const [server, ...clients] = labels;
const { stdout, ended } = show(server);
await Promise.race([stdout.next(/./).catch(() => ended), sleep(1000)]);
clients.forEach(showAgainAndAgain);
