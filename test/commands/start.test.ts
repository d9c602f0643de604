import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { withTimeout } from "../../tools/child.ts";
import { ipcEndpoint, tcpEndpoint } from "../../tools/endpoints.ts";
import { census, examples, notOnWindows, startCommand } from "../support.ts";

/** Starts a show, whose processes are counted. */
async function startShow(example: string, ...endpoints: string[]) {
  const { env, ends } = await census();
  return { ...startCommand("start", [example, ...endpoints], env), ends };
}

/** Expects a show to end with this status, and its programs with it. */
async function assertEnds(show: Awaited<ReturnType<typeof startShow>>, status: number) {
  assert.equal(await show.exitStatus(), status);
  assert.deepEqual(show.stderr.all, []);
  await withTimeout(Promise.all(show.ends), "a program is still running");
}

/** Expects an example to print some lines, and to end on a signal. */
function testShow(example: string, signal: "SIGINT" | "SIGHUP" | "SIGTERM", ...lines: RegExp[]) {
  test(`npm start -- ${example} runs until ${signal}`, { skip: notOnWindows }, async () => {
    const show = await startShow(example, await tcpEndpoint(), ipcEndpoint());
    for (const line of lines) await show.stdout.next(line);
    show.child.kill(signal);
    await assertEnds(show, 128 + constants.signals[signal]);
    assert.ok(show.ends.length > lines.length);
  });
}

const cameras = [
  /^server\.ts {3}Camera 1\?$/,
  /^camera1\.ts {2}MSG 1:  'Camera 1'$/,
  /^camera2\.ts {2}MSG 2:  'Camera 2'$/,
];
testShow("waynes-world", "SIGINT", ...cameras); // Ctrl-C

const workers = [/^server\.ts {4}Hello world\?$/, /^client\.ts 1 {2}200/, /^client\.ts 2 {2}200/];
testShow("passing-json", "SIGHUP", ...workers); // a closed terminal

const pictures = [/^jobs\.ts/, /^worker\.ts . .*picture/, /^worker\.ts . .*picture/];
testShow("jobs", "SIGTERM", ...pictures, /^add\.ts 2 .*Added/);

const rooms = [/^rooms\.ts .*room2/, /^watch\.ts 1 .*room1/, /^watch\.ts 2 .*room2/];
testShow("topics", "SIGINT", ...rooms);

const passed = [/^sensor\.ts 1 /, /^sensor\.ts 2 /, /^watch\.ts 1 .*room1/, /^watch\.ts 2 .*room2/];
testShow("forwarder", "SIGINT", ...passed);

test("npm start -- eventloop starts its client every second, until nobody reads it", async () => {
  const show = await startShow("eventloop", await tcpEndpoint());
  await show.stdout.next(/^server\.ts {2}MSG.*"n":5/);
  const last = /^client\.ts {2}MSG.*"n":5/;
  await show.stdout.next(last);
  const begin = performance.now();
  await show.stdout.next(last, 2);
  const apart = (performance.now() - begin) / 2;
  assert.ok(apart > 1000, `${apart}`);
  show.child.stdout.destroy();
  await assertEnds(show, 0);
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
  for (const [file, bad] of [
    ["server", "nowhere"],
    ["client", everywhere],
  ]) {
    const show = await startShow("eventloop", bad);
    await assertEnds(show, 1);
    await show.stdout.next(RegExp(`^${file}\\.ts {2}\\[?Error: Invalid argument`));
    assert.ok(show.stdout.all.some((line) => line.includes(` address: '${bad}'`)));
  }
});
