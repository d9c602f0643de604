// npm start [-- EXAMPLE [ENDPOINT …]]: shows an example in one terminal.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { exitOnSignals, nodeArgs, startProgram } from "./child.ts";
import { temporaryFolder } from "./endpoints.ts";

const [example = "waynes-world", first, second] = process.argv.slice(2);
const jobs = first ?? "tcp://127.0.0.1:5569";
const inside = first ?? "tcp://127.0.0.1:5575";
const outside = second ?? "tcp://127.0.0.1:5576";
const log = join(temporaryFolder(), "jobs.log");

/** The programs of each example, the one that binds first. An endpoint may be left out. */
const shows: {
  [example: string]: { file: string; label: string; args: (string | undefined)[] }[];
} = {
  "waynes-world": [
    { file: "waynes-world/server.ts", label: "server.ts", args: [first, second] },
    { file: "waynes-world/camera1.ts", label: "camera1.ts", args: [first] },
    { file: "waynes-world/camera2.ts", label: "camera2.ts", args: [second] },
  ],
  "passing-json": [
    { file: "passing-json/server.ts", label: "server.ts", args: [first] },
    { file: "passing-json/client.ts", label: "client.ts 1", args: [first] },
    { file: "passing-json/client.ts", label: "client.ts 2", args: [first] },
  ],
  eventloop: [
    { file: "eventloop/server.ts", label: "server.ts", args: [first] },
    { file: "eventloop/client.ts", label: "client.ts", args: [first] },
  ],
  jobs: [
    { file: "docs/recipes/jobs.ts", label: "jobs.ts", args: [jobs, log] },
    { file: "docs/recipes/worker.ts", label: "worker.ts 1", args: [jobs] },
    { file: "docs/recipes/worker.ts", label: "worker.ts 2", args: [jobs] },
    { file: "docs/recipes/add.ts", label: "add.ts 1", args: ['{"picture":"sunset.png"}', jobs] },
    { file: "docs/recipes/add.ts", label: "add.ts 2", args: ['{"picture":"beach.png"}', jobs] },
  ],
  topics: [
    { file: "docs/recipes/rooms.ts", label: "rooms.ts", args: [first] },
    { file: "docs/recipes/watch.ts", label: "watch.ts 1", args: ["room1/", first] },
    { file: "docs/recipes/watch.ts", label: "watch.ts 2", args: ["room2/", first] },
  ],
  forwarder: [
    { file: "docs/recipes/forwarder.ts", label: "forwarder.ts", args: [inside, outside] },
    { file: "docs/recipes/sensor.ts", label: "sensor.ts 1", args: [inside, "room1/"] },
    { file: "docs/recipes/sensor.ts", label: "sensor.ts 2", args: [inside, "room2/"] },
    { file: "docs/recipes/watch.ts", label: "watch.ts 1", args: ["room1/", outside] },
    { file: "docs/recipes/watch.ts", label: "watch.ts 2", args: ["room2/", outside] },
  ],
};

if (!Object.hasOwn(shows, example)) {
  console.error(`No example ${example}; there are ${Object.keys(shows).join(", ")}.`);
  process.exit(1);
}
exitOnSignals();

const [server, ...clients] = shows[example];
const width = Math.max(...shows[example].map(({ label }) => label.length)) + 1;

/** Starts a program whose lines are shown, and whose failure ends all. */
function show({ file, label, args }: typeof server) {
  const given = args.filter((arg) => arg !== undefined);
  // Unlike a test, with all of the user's settings.
  const options = { env: process.env };
  const program = startProgram(process.execPath, [...nodeArgs(file), ...given], options);
  for (const { reader } of [program.stdout, program.stderr]) {
    reader.on("line", (line) => console.log(label.padEnd(width), line));
  }
  program.ended.then((status) => {
    if (status !== 0) process.exit(typeof status === "number" ? status : 1);
  });
  return program;
}

/** Shows a client, again whenever it is done. */
async function showAgainAndAgain(client: typeof server) {
  for (;;) {
    await show(client).ended;
    await sleep(1000);
  }
}

// Most servers print a line when they are bound. Then no client has to wait.
const { stdout, ended } = show(server);
await Promise.race([stdout.next(/./).catch(() => ended), sleep(1000)]);
clients.forEach(showAgainAndAgain);
