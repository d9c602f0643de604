// docs/recipes: many requests at a time, and the end without losing messages.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Dealer, Pull, Router } from "zeromq";
import { type Program, startProgram, startScript, startServer } from "../../tools/child.ts";
import { freePort, tcpEndpoint } from "../../tools/endpoints.ts";
import * as support from "../support.ts";
import { asFirst, comesFirst, copy, layCable, noUnshare, until } from "./support.ts";

const { bind, connect, notOnWindows: skip, outsideAddress } = support;
const FRONT = "docs/recipes/front.ts";
const SERVICE = "docs/recipes/service.ts";
const patient = { "5000": "40_000", "Interval: 500": "Interval: 50" };

/** Starts a front; its get() resolves with a status and a body. */
async function startFront(endpoint: string, script = FRONT, ...host: string[]) {
  const port = await freePort();
  const address = `${host[0] ?? "127.0.0.1"}:${port}`;
  await startScript(script, endpoint, `${port}`, ...host).stdout.next(`Listening at ${address}`);
  const get = async (path: string) => {
    const response = await fetch(`http://${address}${path}`);
    return `${response.status} ${await response.text()}`;
  };
  return { port, get };
}

test("1,500 of 1,500 are answered, with a kill -9 and a SIGTERM meanwhile", async () => {
  const endpoint = await tcpEndpoint();
  const service = copy(SERVICE, { 'if (question === "/slow")': "", "1000": "Math.random() * 100" });
  const { get } = await startFront(endpoint, copy(FRONT, patient));
  let answered = 0;
  const ask = async (n: number) => {
    assert.equal(await get(`/${n}`), `200 The answer to /${n}\n`);
    answered++;
    if (answered !== 300 && answered !== 700) return;
    server.child.kill(answered === 300 ? "SIGKILL" : "SIGTERM");
    await server.ended;
    server = startScript(service, endpoint);
  };
  const all = Promise.all(Array.from({ length: 1500 }, (_, n) => ask(n)));
  let server = startScript(service, endpoint);
  await all;
});

test("an error is a 500, and its text stays inside; a slow answer holds up nobody", async () => {
  const endpoint = await tcpEndpoint();
  const talkative = copy(SERVICE, { '"failed", ""': '"failed", "a secret"' });
  const service = await startServer(talkative, endpoint);
  const { get } = await startFront(endpoint, FRONT, outsideAddress ?? "127.0.0.1");
  assert.equal(await get("/broken"), "500 The service failed.\n");
  await service.stderr.next("No answer: 'Error: no such product'");
  const slow = get("/slow");
  assert.ok(await comesFirst(get("/fast"), slow));
  assert.equal(await slow, "200 The answer to /slow\n");
});

test("without a server, a question gets 504; without a HOST, nobody outside can ask", async () => {
  const endpoint = await tcpEndpoint();
  const { get, port } = await startFront(endpoint, copy(FRONT, { ...patient, "5000": "200" }));
  if (outsideAddress) await assert.rejects(fetch(`http://${outsideAddress}:${port}`));
  assert.equal(await get("/early"), "504 No answer in five seconds.\n");
  const { stdout } = await startServer("eventloop/server.ts", endpoint);
  while ((await get("/now")) !== "200 /now");
  assert.equal(await stdout.next(/MSG/), "MSG:  '/now'");
});

test("of two servers, one gets what the other loses that has no power", async () => {
  const mortal = new Router();
  const cable = await layCable(await bind(mortal));
  const other = await tcpEndpoint();
  await startServer("eventloop/server.ts", other);
  const changes = {
    "socket.connect(endpoint);": `socket.connect(endpoint);\nsocket.connect("${other}");`,
    "beatInterval: 1000": "beatInterval: 200",
  };
  const { get } = await startFront(cable.endpoint, copy(FRONT, { ...patient, ...changes }));
  const lost = mortal.receive();
  let answer = get("/");
  while (!(await comesFirst(lost, answer))) answer = get("/"); // They take turns.
  cable.cut();
  mortal.close();
  assert.equal(await answer, "200 /");
});

/** Ends a program by SIGTERM and many a Ctrl-C; receives the rest of what its last line counts. */
async function end(program: Program, sockets: (Dealer | Pull)[], received: number) {
  program.child.kill("SIGTERM");
  for (let n = 0; n < 20; n++) await sleep(10, program.child.kill("SIGINT"));
  sockets.forEach(async (socket) => {
    for await (const _ of socket) received++;
  });
  assert.equal(await program.exitStatus(), 0);
  const sent = Number(program.stdout.all.at(-1)?.match(/\d+/));
  await until(() => received >= sent, `${received} of ${sent}`);
  assert.deepEqual(program.stderr.all, []);
}

test("service.ts delivers all answers under way, large ones too, and ends", { skip }, async () => {
  const endpoint = await tcpEndpoint();
  const changes = {
    "let underWay = 0;": "let underWay = 0, began = 0;",
    "underWay++;": "underWay++, began++;",
    "sleep(1000)": "sleep(300)",
    "return `": 'if (question === "/large") return Buffer.alloc(1e5);\n  return `',
    '"Stopped."': '"Stopped. %d", began',
  };
  const service = await startServer(copy(SERVICE, changes), endpoint);
  const slow = connect(new Dealer({ receiveHighWaterMark: 1 }), endpoint);
  const dealers = Array.from({ length: 200 }, () => connect(new Dealer(), endpoint));
  for (const dealer of dealers) for (let n = 0; n < 5; n++) await dealer.send([`${n}`, "/slow"]);
  for (let n = 0; n < 200; n++) await slow.send([`${n}`, "/large"]);
  await slow.receive();
  await end(service, [slow, ...dealers], 1);
});

test("sender.ts delivers all that it has queued, and ends", { skip }, async () => {
  const endpoint = await tcpEndpoint();
  const changes = {
    "await sleep(100);": "",
    hello: "x".repeat(1000),
    "while (": "setInterval(() => console.log(sent), 100).unref();\nwhile (",
  };
  const sender = await startServer(copy("docs/recipes/sender.ts", changes), endpoint);
  const pull = connect(new Pull({ receiveHighWaterMark: 1 }), endpoint);
  await pull.receive();
  const { all } = sender.stdout;
  await until(() => all.length > 2 && all.at(-1) === all.at(-2), "its queue is not full");
  await end(sender, [pull], 1);
});

// zeromq.js puts off a receive() after 512 in a row; close() makes it reject.
test("service.ts ends well when close() comes between two questions", async () => {
  const endpoint = await tcpEndpoint();
  const dealer = connect(new Dealer(), endpoint);
  for (let n = 0; n < 900; n++) await dealer.send([`${n}`, "/fast"]);
  const wait = "for (const begin = performance.now(); performance.now() < begin + 300; );";
  const stop = `if (String(frames[1]) === "0") {${wait}\nprocess.nextTick(stop);}`;
  const service = startScript(copy(SERVICE, { "underWay++;": `underWay++;\n${stop}` }), endpoint);
  assert.equal(await service.exitStatus(), 0);
  assert.equal(service.stdout.all.at(-1), "Stopped.");
});

test("a container's first process ends on SIGTERM, and gives up at last", { skip }, async (t) => {
  if (noUnshare) t.diagnostic(`not as the first process: ${noUnshare}`);
  const never = 'sleep(1e9, process.kill(process.pid, "SIGTERM"))';
  const script = copy(SERVICE, { "sleep(1000)": never, "8000": "200" });
  const endpoint = await tcpEndpoint();
  const node = [process.execPath, "--import", "tsx", script, endpoint];
  const service = startProgram("env", noUnshare ? node : [...asFirst, ...node]);
  await connect(new Dealer(), endpoint).send(["", "/slow"]);
  assert.equal(await service.exitStatus(), 1);
  assert.deepEqual(service.stderr.all, ["Gave up: not everything is delivered"]);
});
