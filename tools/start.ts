// npm start [-- EXAMPLE [ENDPOINT …]]: shows an example in one terminal.
import { setTimeout } from "node:timers/promises";
import { exitOnSignals, startScript } from "./child.ts";

/** Each example's clients: a label, whose first word is the file, and which endpoint it takes. */
const clientsOf = new Map([
  [
    "waynes-world",
    [
      { label: "camera1.ts", nth: 0 },
      { label: "camera2.ts", nth: 1 },
    ],
  ],
  [
    "passing-json",
    [
      { label: "client.ts 1", nth: 0 },
      { label: "client.ts 2", nth: 0 },
    ],
  ],
  ["eventloop", [{ label: "client.ts", nth: 0 }]],
]);

const [example = "waynes-world", ...endpoints] = process.argv.slice(2);
const clients = clientsOf.get(example);
if (!clients) {
  console.error(`No example ${example}; there are ${[...clientsOf.keys()].join(", ")}.`);
  process.exit(1);
}
exitOnSignals();

/** Starts a script whose lines are shown, and whose failure ends all. */
function show(label: string, ...args: string[]) {
  const [file] = label.split(" ");
  const script = startScript(`${example}/${file}`, ...args);
  for (const { reader } of [script.stdout, script.stderr]) {
    reader.on("line", (line) => console.log(label.padEnd(11), line));
  }
  script.ended.then((status) => {
    if (status !== 0) process.exit(typeof status === "number" ? status : 1);
  });
  return script;
}

/** Shows a client, again whenever it is done. */
async function showAgainAndAgain(label: string, ...args: string[]) {
  for (;;) {
    await show(label, ...args).ended;
    await setTimeout(1000);
  }
}

// A server's first line says that it is listening, so no client has to wait.
const server = show("server.ts", ...endpoints);
await server.stdout.next(/./).catch(() => server.ended);

for (const { label, nth } of clients) showAgainAndAgain(label, ...endpoints.slice(nth, nth + 1));
