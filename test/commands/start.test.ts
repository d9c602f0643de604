import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Router } from "zeromq";
import { type Program, startScript } from "../../tools/child.ts";
import { ipcEndpoint, tcpEndpoint } from "../../tools/endpoints.ts";
import { examples, notOnWindows, open } from "../support.ts";

const START = "tools/start.ts";

/** Fails where a server or a client of an endpoint is still running. */
async function assertNobodyIsLeft(endpoint: string) {
  const router = open(new Router());
  let peers = 0;
  router.events.on("accept", () => peers++);
  // A server that was ended frees its endpoint a moment later.
  while (
    !(await router.bind(endpoint).then(
      () => true,
      () => false,
    ))
  )
    await setTimeout(50);
  await setTimeout(2100); // a client tries again within two seconds
  assert.equal(peers, 0, "a client is still running");
}

/** Expects an example to print some lines, and all to end when it is stopped. */
function testShow(
  example: string,
  until: string,
  stop: (shown: Program) => unknown,
  status: number,
  ...lines: string[]
) {
  test(`npm start -- ${example} goes on until ${until}`, { skip: notOnWindows }, async () => {
    const endpoints = [await tcpEndpoint(), ipcEndpoint()];
    const shown = startScript(START, example, ...endpoints);
    for (const line of lines) await shown.stdout.next(line);
    stop(shown);
    assert.equal(await shown.exitStatus(), status);
    assert.deepEqual(shown.stderr.all, []);
    await Promise.all(endpoints.map(assertNobodyIsLeft));
  });
}

testShow(
  "waynes-world",
  "Ctrl-C",
  ({ child }) => child.kill("SIGINT"),
  130,
  "server.ts   Camera 1?",
  "server.ts   Camera 2?",
  "camera1.ts  MSG 1:  'Camera 1'",
  "camera2.ts  MSG 2:  'Camera 2'",
);

testShow(
  "passing-json",
  "the terminal is closed",
  ({ child }) => child.kill("SIGHUP"),
  129,
  "server.ts   Hello world?",
  "client.ts 1 200 :: hello world",
  "client.ts 2 200 :: hello world",
);

const echoed = `client.ts   MSG:  '{"n":5,"text":"hello"}'`;
testShow(
  "eventloop",
  "nobody reads it",
  ({ child }) => child.stdout.destroy(),
  0,
  `server.ts   MSG:  '{"n":5,"text":"hello"}'`,
  echoed,
  echoed, // of the client's next start
);

test("npm start -- EXAMPLE lists the examples that there are", async () => {
  const { stdout, stderr, exitStatus } = startScript(START, "wayne");
  assert.equal(await exitStatus(), 1);
  assert.deepEqual(stderr.all, [`No example wayne; there are ${examples.join(", ")}.`]);
  assert.deepEqual(stdout.all, []);
});

test("npm start ends all when a script cannot start, and shows why", async () => {
  const endpoint = await tcpEndpoint();
  // A server can bind to all interfaces, but no client can connect to them.
  const everywhere = endpoint.replace("127.0.0.1", "*");
  for (const [label, bad] of [
    ["server.ts  ", "nowhere"],
    ["client.ts .", everywhere],
  ]) {
    const { stdout, stderr, exitStatus } = startScript(START, "passing-json", bad);
    assert.equal(await exitStatus(), 1);
    await stdout.next(RegExp(`^${label} \\[?Error: Invalid argument`));
    assert.ok(stdout.all.some((line) => line.includes(` address: '${bad}'`)));
    assert.deepEqual(stderr.all, []);
  }
  await assertNobodyIsLeft(endpoint);
});
