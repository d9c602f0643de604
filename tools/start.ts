#!/usr/bin/env -S node --import tsx
// npm start [-- EXAMPLE [ENDPOINT …]]: shows an example in one terminal.
import { setTimeout } from "node:timers/promises";
import { examples, exit, start } from "./script.ts";

/** The clients of each example, and which endpoint each connects to. */
const clients = new Map<string, [name: string, endpoint: number][]>([
  ["waynes-world", [["camera1.ts", 0], ["camera2.ts", 1]]],
  ["passing-json", [["client.ts 1", 0], ["client.ts 2", 0]]],
  ["eventloop", [["client.ts", 0]]],
]);

const [example = "waynes-world", ...endpoints] = process.argv.slice(2);
const cast = clients.get(example);
if (!cast) {
  console.error(`No example ${example}; there are ${examples.join(", ")}.`);
  process.exit(1);
}

/** Starts one of the scripts, whose end is the end of all unless it is 0. */
function play(name: string, colour: number, ...args: string[]) {
  const script = start(`${example}/${name.split(" ")[0]}`, ...args);
  const column = name.padEnd(12);
  const front = process.stdout.hasColors?.()
    ? `\x1b[${colour}m${column}\x1b[0m`
    : column;
  for (const output of [script.stdout, script.stderr]) {
    output.on("line", (line) => console.log(front + line));
  }
  script.ended.then((status) => {
    if (status !== 0) exit(status);
  });
  return script;
}

// A server's first line says that it is listening, so no client has to wait.
const server = play("server.ts", 33, ...endpoints);
await server.stdout.next(/./).catch(() => server.ended);

for (const [index, [name, endpoint]] of cast.entries()) {
  const replay = async () => {
    const args = endpoints.slice(endpoint, endpoint + 1);
    await play(name, 34 + index, ...args).ended;
    await setTimeout(1000);
    replay();
  };
  replay();
}
