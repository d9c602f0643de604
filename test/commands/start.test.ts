import assert from "node:assert/strict";
import { test } from "node:test";
import { type Program, withTimeout } from "../../tools/child.ts";
import { ipcEndpoint, tcpEndpoint } from "../../tools/endpoints.ts";
import { census, examples, notOnWindows, startCommand } from "../support.ts";

/** Starts a show, whose processes are counted. */
async function startShow(example: string, ...endpoints: string[]) {
  const { env, ends } = await census();
  return { ...startCommand("start", [example, ...endpoints], env), ends };
}

const allEnd = (ends: Promise<unknown>[]) =>
  withTimeout(Promise.all(ends), "a program is still running");

/** Expects an example to print some lines, and all its processes to end when it is stopped. */
function testShow(
  example: string,
  lines: RegExp[],
  until: string,
  stop: (shown: Program) => unknown,
  status: number,
) {
  test(`npm start -- ${example} runs until ${until}`, { skip: notOnWindows }, async () => {
    const shown = await startShow(example, await tcpEndpoint(), ipcEndpoint());
    for (const line of lines) await shown.stdout.next(line);
    stop(shown);
    assert.equal(await shown.exitStatus(), status);
    assert.deepEqual(shown.stderr.all, []);
    assert.ok(shown.ends.length >= 3);
    await allEnd(shown.ends);
  });
}

const cameras = [/^server\.ts {3}Camera 1\?$/, /^camera1\.ts {2}MSG 1/, /^camera2\.ts {2}MSG 2/];
testShow("waynes-world", cameras, "Ctrl-C", ({ child }) => child.kill("SIGINT"), 130);

const workers = [/^server\.ts {4}Hello world\?$/, /^client\.ts 1 {2}200/, /^client\.ts 2 {2}200/];
testShow(
  "passing-json",
  workers,
  "it loses its terminal",
  ({ child }) => child.kill("SIGHUP"),
  129,
);

const echoes = [/^server\.ts {2}MSG.*"n":5/, /^client\.ts {2}MSG.*"n":5/];
testShow("eventloop", echoes, "nobody reads it", ({ child }) => child.stdout.destroy(), 0);

const done = [
  /^jobs\.ts/,
  /^worker\.ts . .*picture/,
  /^worker\.ts . .*picture/,
  /^add\.ts 2 .*Added/,
];
testShow("jobs", done, "SIGTERM", ({ child }) => child.kill(), 143);

const rooms = [/^rooms\.ts .*room2/, /^watch\.ts 1 .*room1/, /^watch\.ts 2 .*room2/];
testShow("topics", rooms, "Ctrl-C", ({ child }) => child.kill("SIGINT"), 130);

const passed = [/^sensor\.ts 1 /, /^sensor\.ts 2 /, /^watch\.ts 1 .*room1/, /^watch\.ts 2 .*room2/];
testShow("forwarder", passed, "Ctrl-C", ({ child }) => child.kill("SIGINT"), 130);

test("npm start -- eventloop starts the client again a second after its end", async () => {
  const { stdout } = await startShow("eventloop", await tcpEndpoint());
  const last = /^client.*"n":5/;
  await stdout.next(last);
  const begin = performance.now();
  await stdout.next(last, 3);
  const apart = (performance.now() - begin) / 3;
  assert.ok(apart > 1000, `${apart}`);
});

test("npm start -- EXAMPLE lists the examples that there are", async () => {
  const { stdout, stderr, exitStatus } = startCommand("start", ["wayne"]);
  assert.equal(await exitStatus(), 1);
  const [line, ...rest] = stderr.all;
  assert.match(line, /^No example wayne; there are waynes-world, passing-json, /);
  for (const example of examples) assert.ok(line.includes(` ${example}`), `${line}: ${example}?`);
  assert.deepEqual([...stdout.all, ...rest], []);
});

test("npm start ends all when a script cannot start, and shows why", async () => {
  // A server can bind to all interfaces, but no client can connect to them.
  const everywhere = (await tcpEndpoint()).replace("127.0.0.1", "*");
  for (const [label, bad] of [
    ["server.ts   ", "nowhere"],
    ["client.ts . ", everywhere],
  ]) {
    const { stdout, stderr, exitStatus, ends } = await startShow("passing-json", bad);
    assert.equal(await exitStatus(), 1);
    await stdout.next(RegExp(`^${label} \\[?Error: Invalid argument`));
    assert.ok(stdout.all.some((line) => line.includes(` address: '${bad}'`)));
    assert.deepEqual(stderr.all, []);
    await allEnd(ends);
  }
});
