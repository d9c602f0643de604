// npm start [-- EXAMPLE [ENDPOINT …]]: shows an example in one terminal.
import { setTimeout as sleep } from "node:timers/promises";
import { exitOnSignals, startProgram } from "./child.ts";

const [example = "waynes-world", first, second] = process.argv.slice(2);

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
  const program = startProgram(process.execPath, ["--import", "tsx", file, ...given], options);
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
