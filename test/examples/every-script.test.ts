// What all scripts have in common.
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Dealer, Publisher, Push } from "zeromq";
import { startProgram, startScript } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import {
  type Changes,
  connect,
  copy,
  examples,
  notOnWindows,
  open,
  noTypeScript,
  project,
  scripts,
  servers,
  tsc,
} from "../support.ts";

// From Node 22.18 on, Node strips the types by itself.
const strips = "typescript" in process.features && process.features.typescript;

const title = "the examples run in a new project, and after npx tsc as JavaScript";
test(title, { skip: noTypeScript }, async () => {
  const cwd = project("");
  for (const folder of examples) cpSync(join(root, folder), join(cwd, folder), { recursive: true });
  for (const args of [["--init"], []]) {
    const { exitStatus, stdout } = startProgram(process.execPath, [tsc, ...args], { cwd });
    assert.equal(await exitStatus(), 0, stdout.all.join("\n"));
  }
  for (const file of [...servers, ...scripts.map((script) => script.replace(".ts", ".js"))]) {
    const options = strips || file.endsWith(".js") ? [] : ["--import", "tsx"];
    const node = [...options, file, "--help"]; // which is no endpoint
    const { stdout, stderr, exitStatus } = startProgram(process.execPath, node, { cwd });
    assert.equal(await exitStatus(), 1);
    await stderr.next(/Error: Invalid argument/);
    await stderr.next(/address: '--help'/);
    assert.deepEqual(stdout.all, []);
  }
});

/** A copy of a script, with what the README shows for one that is to end well on SIGTERM. */
function copyThatEnds(script: string) {
  const code = read(script);
  const [loop = ""] = /^(for|while) .*/ms.exec(code) ?? [];
  const [socket, ...others] = [...code.matchAll(/^const (\w+) = new /gm)].map(([, name]) => name);
  const changes: Changes = {};
  let stop = [socket, ...others].map((name) => `${name}.close();`).join(" ");
  if (code.includes("setInterval(")) {
    changes["setInterval("] = "const timer = setInterval(";
    stop += " clearInterval(timer);";
  }
  changes[loop] = `process.once("SIGTERM", () => { ${stop} });
    try { ${loop} } catch (error) { if (!${socket}.closed) throw error; }`;
  return copy(script, changes);
}

const floods: [script: string, from: Dealer | Publisher | Push, message: string[]][] = [
  ["waynes-world/camera1.ts", new Publisher(), ["hello"]],
  ["passing-json/client.ts", new Push({ sendTimeout: 100 }), ['{"code":200,"text":"hello"}']],
  ["eventloop/server.ts", new Dealer({ sendTimeout: 100 }), ["", "hello"]],
];

const calm = scripts.filter((script) => !floods.some(([flooded]) => flooded === script));
for (const script of calm) {
  test(`a copy of ${script} ends well on close()`, { skip: notOnWindows }, async () => {
    const endpoints = [await tcpEndpoint(), "tcp://127.0.0.1:*"];
    const { child, exitStatus, stdout, stderr } = startScript(copyThatEnds(script), ...endpoints);
    // A server has begun its loop, a client waits for one.
    await (servers.includes(script) ? stdout.next(/\?$/) : stderr.next(/^No server at/));
    child.kill("SIGTERM");
    assert.equal(await exitStatus(), 0);
    // On a busy machine, ZeroMQ may take a moment to end, and zeromq.js then prints that it waits.
    const hint = /^No server at |^Not sent: |Waiting for queued ZeroMQ messages/;
    for (const line of stderr.all) assert.match(line, hint);
  });
}

for (const [script, from, message] of floods) {
  // After 512 messages in one go, zeromq.js puts off the next receive(). If the socket is closed
  // then, that rejects with ENOTSOCK.
  test(`a copy of ${script} ends well on close() under load`, { skip: notOnWindows }, async () => {
    const endpoint = await tcpEndpoint();
    const flooded = startScript(copyThatEnds(script), endpoint);
    await Promise.any([flooded.stdout.next(/./), flooded.stderr.next(/./)]);
    if (servers.includes(script)) connect(from, endpoint);
    else await open(from).bind(endpoint);
    const ended = flooded.stdout.next(/hello/, 2_000).then(() => flooded.child.kill("SIGTERM"));
    while (flooded.isRunning()) await from.send(message).catch(() => {});
    await ended;
    assert.equal(await flooded.exitStatus(), 0, flooded.stderr.all.slice(-9).join("\n"));
  });
}
