import assert from "node:assert/strict";
import { Dealer, Router } from "zeromq";
import { type Script, start } from "../tools/script.ts";
import { ipc, tcp } from "../tools/temporary.ts";
import { event, open, test } from "../tools/test.ts";

const START = "tools/start.ts";
const skip = process.platform === "win32" && "Windows has no such signals";

/** Fails where a server or a client of an endpoint is still running. */
async function assertNobodyIsLeft(endpoint: string) {
  // Clients that were left behind try again about every 0.1 s. So they are
  // connected before this one, which tries, in vain, before there is a server.
  const dealer = open(new Dealer({ reconnectInterval: 500 }));
  const refused = event(dealer, "connect:retry");
  dealer.connect(endpoint);
  await refused;
  await dealer.send("hello");

  const router = open(new Router());
  let peers = 0;
  router.events.on("accept", () => peers++);
  await router.bind(endpoint);
  await router.receive();
  assert.equal(peers, 1, "a client is still running");
}

for (const [example, until, code, happen, ...lines] of [
  [
    "waynes-world", "Ctrl-C", 130, ({ child }) => child.kill("SIGINT"),
    "server.ts   Camera 1?",
    "server.ts   Camera 2?",
    "camera1.ts  MSG 1:  'Camera 1'",
    "camera2.ts  MSG 2:  'Camera 2'",
  ],
  [
    "passing-json", "the terminal is closed", 129, ({ child }) => child.kill("SIGHUP"),
    "server.ts   Hello world?",
    "client.ts 1 200 :: hello world",
    "client.ts 2 200 :: hello world",
  ],
  [
    "eventloop", "nobody reads it", 0, ({ child }) => child.stdout.destroy(),
    "server.ts   The event loop is running.",
    `server.ts   MSG:  '{"n":5,"text":"hello"}'`,
    'client.ts   MSG: {"n":5,"text":"hello"}',
  ],
] satisfies [string, string, number, (script: Script) => unknown, ...string[]][]) {
  test(`npm start -- ${example} goes on until ${until}`, { skip }, async () => {
    const endpoints = [await tcp(), ipc()];
    const shown = start(START, example, ...endpoints);
    for (const line of [...lines, ...lines.slice(-2)]) await shown.stdout.next(line);
    happen(shown);
    assert.equal(await shown.status(), code);
    assert.deepEqual(shown.stderr.all, []);
    for (const endpoint of endpoints) await assertNobodyIsLeft(endpoint);
  });
}

test("npm start -- EXAMPLE lists the examples that there are", async () => {
  const { stdout, stderr, status } = start(START, "wayne");
  assert.equal(await status(), 1);
  const reason = "No example wayne; there are waynes-world, passing-json, eventloop.";
  assert.deepEqual(stderr.all, [reason]);
  assert.deepEqual(stdout.all, []);
});

test("npm start ends all with the status of a script that dies", async () => {
  // A server can bind to all interfaces, but no client can connect to them.
  const endpoint = (await tcp()).replace("127.0.0.1", "*");
  const { stdout, status } = start(START, "passing-json", endpoint);
  await stdout.next(/^client.ts . Error: Invalid argument/);
  assert.equal(await status(), 1);
  await assertNobodyIsLeft(endpoint.replace("*", "127.0.0.1"));
});

test("npm start says so when the server cannot start", async () => {
  const { stdout, stderr, status } = start(START, "eventloop", "nowhere");
  assert.equal(await status(), 1);
  assert.deepEqual(stdout.all, ["server.ts   Cannot bind nowhere: Invalid argument"]);
  assert.deepEqual(stderr.all, []);
});
