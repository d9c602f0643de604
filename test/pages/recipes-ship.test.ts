// Other machines, lost connections, shipping, Python, and a test of one's own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Pull, Push, Router, Subscriber, XPublisher } from "zeromq";
import { plainEnv, type Program, startProgram, startScript, TIMEOUT } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import * as support from "../support.ts";
import { layCable } from "./support.ts";

const { bind, connect, notOnWindows, outsideAddress, project, replace, tsc } = support;
const FOLDER = "docs/recipes";
const program = (name: string) => read(`${FOLDER}/${name}`);
const page = program("README.md");

const noOther = !outsideAddress && "this machine has no other address";
test("a program listens on its own machine only", { skip: noOther }, async () => {
  const endpoint = await tcpEndpoint();
  startScript(`${FOLDER}/rooms.ts`, endpoint);
  const subscriber = connect(new Subscriber({ receiveTimeout: TIMEOUT }), endpoint);
  subscriber.subscribe();
  await subscriber.receive();
  const far = net.connect(Number(new URL(endpoint).port), outsideAddress);
  await assert.rejects(once(far, "connect"), { code: "ECONNREFUSED" });
});

test("after a lost connection, a subscriber comes back only with heartbeats", async () => {
  const publisher = new XPublisher({ verbosity: "allSubs", receiveTimeout: TIMEOUT });
  const cable = await layCable(await bind(publisher));
  const watch = async (code: string, topic: string) => {
    const watching = startScript(support.writeScript(code), topic, cable.endpoint);
    while (String(await publisher.receive()) !== `\x01${topic}`);
    return watching;
  };
  const fast = replace(program("watch.ts"), "Interval: 1000", "Interval: 100");
  const wise = await watch(fast, "wise/");
  const naive = await watch(replace(fast, "heartbeatInterval: 100,", ""), "naive/");
  cable.cut();
  let isBack = false;
  const back = wise.stdout.next("'wise/' 'hello'").then(() => (isBack = true));
  while (!isBack) {
    for (const topic of ["naive/", "wise/"]) await publisher.send([topic, "hello"]);
    await Promise.race([back, sleep(50)]);
  }
  assert.deepEqual(naive.stdout.all, []);
});

// What is shipped: a server in two files, of which one has a type for the other.
const shipped = {
  "package.json": '{ "type": "module" }',
  "package-lock.json": "{}",
  "own.ts": 'export type Job = string;\nexport const job: Job = "hello";\n',
  "server.ts": `
    import { Push } from "zeromq";
    import { job, type Job } from "./own.ts";
    const next: Job = job;
    const socket = new Push();
    await socket.bind(process.argv[2] ?? "");
    await socket.send(next);`,
};
const ship = page.split(/^## /m).find((recipe) => recipe.startsWith("Ship it\n")) ?? "";

function shippedProject() {
  const cwd = project("");
  for (const [name, text] of Object.entries(shipped)) writeFileSync(join(cwd, name), text);
  return cwd;
}
const node = (cwd: string, ...args: string[]) => startProgram(process.execPath, args, { cwd });

/** Expects a command to start the server. */
async function assertServes(cwd: string, command: string, endpoint: string) {
  const server = node(cwd, ...command.split(" ").slice(1));
  const pull = connect(new Pull({ receiveTimeout: TIMEOUT }), endpoint);
  const [job] = await Promise.race([pull.receive(), server.ended.then(() => server.stderr.all)]);
  assert.equal(String(job), "hello");
}

/** Makes JavaScript with the page's lines in tsconfig.json: what the compiler reports. */
async function build(cwd: string) {
  await node(cwd, tsc, "--init").exitStatus();
  const config = join(cwd, "tsconfig.json");
  const [, lines] = /^```json\n(.*?)^```$/ms.exec(ship) ?? [];
  const begin = '"compilerOptions": {\n';
  writeFileSync(config, replace(readFileSync(config, "utf8"), begin, begin + lines));
  const { exitStatus, stdout } = node(cwd, tsc);
  await exitStatus();
  return stdout.all;
}

const stripsTypes = "typescript" in process.features && process.features.typescript;
const ways = {
  "node --import tsx server.ts": false,
  "node server.ts": !stripsTypes && "Node 22.18 and later remove types",
  "node dist/server.js": support.noTypeScript,
};
for (const [command, skip] of Object.entries(ways)) {
  test(`${command} starts a server of several files`, { skip }, async () => {
    assert.ok(ship.includes(`\n${command}\n`));
    const cwd = shippedProject();
    if (command.includes("dist")) assert.deepEqual(await build(cwd), []);
    const endpoint = await tcpEndpoint();
    await assertServes(cwd, `${command} ${endpoint}`, endpoint);
  });
}

test("tsc reports what Node alone cannot run", { skip: support.noTypeScript }, async () => {
  const cwd = shippedProject();
  writeFileSync(join(cwd, "bad.ts"), 'import { Job } from "./own.ts";\nenum Colour {}\n');
  const [type, colour] = await build(cwd);
  assert.match(type, /^bad\.ts.*type-only import/);
  assert.match(colour, /^bad\.ts.*erasableSyntaxOnly/);
});

test("a container has all that its command needs", { skip: notOnWindows }, async () => {
  const cwd = project("");
  for (const [, names] of ship.matchAll(/^COPY (.*) \.\/$/gm)) {
    assert.equal(spawnSync(`cp ${names} ${cwd}`, { shell: true, cwd: shippedProject() }).status, 0);
  }
  const endpoint = await tcpEndpoint();
  const command: string[] = JSON.parse(/^CMD (.*)$/m.exec(ship)?.[1] ?? "");
  assert.match(command.pop() ?? "", /^tcp:\/\/0\.0\.0\.0:/);
  await assertServes(cwd, [...command, endpoint].join(" "), endpoint);
});

const escapes = "\x1b[31mred\x9b1m\r\n";
const rubbish = [Buffer.from([0xc3, 0x28]), escapes, ["two", "frames"], "é 🎥 it's"];
const jobs = ["null", "[1]", '{"code":200}', '{"code":true,"text":""}', '{"code":1,"text":[]}'];
jobs.push("[".repeat(100_000), '{"code":-1.5,"text":"half \\ud800 é 🎥"}');
jobs.push(JSON.stringify({ code: 1, text: escapes }));
const imported = spawnSync("python3", ["-c", "import zmq"], { env: plainEnv() });
const noZmq = imported.status !== 0 && "python3 has no zmq";
const limits = { receiveTimeout: TIMEOUT, sendTimeout: TIMEOUT };

for (const [name, twin, makeSocket] of [
  ["camera", "waynes-world/camera1.ts", () => new XPublisher(limits)],
  ["worker", "passing-json/client.ts", () => new Push({ sendTimeout: TIMEOUT })],
  ["client", "eventloop/client.ts", () => new Router(limits)],
] as const) {
  test(`${name}.py prints what ${twin} does, whatever comes`, { skip: noZmq }, async () => {
    const print = async (start: (endpoint: string) => Program) => {
      const socket = makeSocket();
      const { stdout, stderr } = start(await bind(socket));
      if (socket instanceof XPublisher) await socket.receive();
      const last = name === "worker" ? '{"code":200,"text":"last"}' : "last";
      const some = name === "client" ? [] : jobs; // It asks five times only.
      for (const message of [...rubbish, ...some, last]) {
        const envelope = socket instanceof Router ? (await socket.receive()).slice(0, 2) : [];
        await socket.send([...envelope, message].flat());
      }
      await stdout.next(/last/);
      return [...stdout.all, ...stderr.all];
    };
    const [lines, expected] = await Promise.all([
      print((endpoint) => startProgram("python3", [`${FOLDER}/${name}.py`, endpoint])),
      print((endpoint) => startScript(twin, endpoint)),
    ]);
    for (const line of lines) assert.doesNotMatch(line, /\p{Cc}/u);
    // They differ in the case of \x1B, in half a pair of surrogates, and in how much they show.
    const alike = (line: string) => line.toLowerCase().replaceAll("\ufffd", "?").slice(0, 200);
    assert.deepEqual(lines.map(alike), expected.map(alike));
  });
}

test("own.test.ts passes, ends, and fails where its function is wrong", async () => {
  const command = "node --enable-source-maps --import tsx --test own.test.ts";
  assert.ok(page.includes(`\n${command}\n`));
  const code = program("own.ts");
  const runs = [code, replace(code, '"room1/"', '""')].map((code) => {
    const cwd = project();
    cpSync(join(root, FOLDER, "own.test.ts"), join(cwd, "own.test.ts"));
    writeFileSync(join(cwd, "own.ts"), code);
    return node(cwd, ...command.split(" ").slice(1));
  });
  assert.deepEqual(await Promise.all(runs.map((run) => run.exitStatus())), [0, 1]);
  const line = program("own.test.ts").split("assert.equal(")[0].split("\n").length;
  await runs[1].stdout.next(new RegExp(`own\\.test\\.ts:${line}:`));
});
