// docs/recipes: many requests at a time, the end without losing messages, keys, and a large file.
import assert from "node:assert/strict";
import { execSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Dealer, Pull, Request, Router } from "zeromq";
import { plainEnv, type Program, startServer, TIMEOUT } from "../../tools/child.ts";
import { freePort, tcpEndpoint, temporaryFolder } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { bind, bother, type Changes, connect, event, notOnWindows as skip } from "../support.ts";
import {
  comesFirst,
  drain,
  end,
  fewFiles,
  layCable,
  outsideAddress,
  sendRefused,
  serveRecipe,
  startRecipe,
  until,
} from "./support.ts";

const patient = { receiveTimeout: TIMEOUT };

/** Starts a front; its get() resolves with a status and a body. */
async function startFront(endpoint: string, changes = {}, ...host: string[]) {
  const port = await freePort();
  const address = `${host[0] ?? "127.0.0.1"}:${port}`;
  const slowly = { "5000": "40_000", ...changes };
  const front = startRecipe("front", [endpoint, `${port}`, ...host], slowly);
  await front.stdout.next(`Listening at ${address}`);
  const get = async (path: string) => {
    const response = await fetch(`http://${address}${path}`);
    return `${response.status} ${await response.text()}`;
  };
  return { port, get };
}

test(
  "1,500 of 1,500 are answered, with a kill -9 and a SIGTERM meanwhile",
  { skip: fewFiles },
  async () => {
    const endpoint = await tcpEndpoint();
    const { get } = await startFront(endpoint);
    const anyTime = { 'if (question === "/slow")': "", "1000": "Math.random() * 100" };
    const start = () => startRecipe("service", [endpoint], anyTime);
    let answered = 0;
    const ask = async (n: number) => {
      assert.equal(await get(`/${n}`), `200 The answer to /${n}\n`);
      answered++;
      if (answered !== 300 && answered !== 700) return;
      await end(server, answered === 300 ? "SIGKILL" : "SIGTERM");
      server = start();
    };
    const all = Promise.all(Array.from({ length: 1500 }, (_, n) => ask(n)));
    let server = start();
    await all;
  },
);

test("without a server, a question gets 504; an error is a 500, and its text stays inside", async () => {
  const endpoint = await tcpEndpoint();
  const { get, port } = await startFront(endpoint, { "5000": "requests === 1 ? 200 : 40_000" });
  // Without a HOST, nobody outside can ask.
  if (outsideAddress) await assert.rejects(fetch(`http://${outsideAddress}:${port}`));
  assert.equal(await get("/broken"), "504 No answer in five seconds.\n");
  const talkative = { '"failed", ""': '"failed", "a secret"' };
  const { stderr } = await serveRecipe("service", [endpoint], talkative);
  assert.equal(await get("/broken"), "500 The service failed.\n");
  assert.equal(await stderr.next(/./), "No answer: 'Error: no such product'");
  const slow = get("/slow"); // holds up nobody
  assert.ok(await comesFirst(get("/fast"), slow));
});

test("of two servers, one gets what the other loses that has no power", async () => {
  const mortal = new Router();
  const cable = await layCable(await bind(mortal));
  const other = await tcpEndpoint();
  await startServer("eventloop/server.ts", other);
  const both = `socket.connect(endpoint);\nsocket.connect("${other}");`;
  const changes = { "socket.connect(endpoint);": both };
  const { get } = await startFront(cable.endpoint, changes, outsideAddress ?? "127.0.0.1");
  const lost = mortal.receive();
  let answer = get("/");
  while (!(await comesFirst(lost, answer))) answer = get("/"); // They take turns.
  cable.cut();
  mortal.close();
  assert.equal(await answer, "200 /");
});

/** Ends a program by SIGTERM and many a Ctrl-C; receives the rest of what its last line counts. */
async function assertDelivers(program: Program, sockets: (Dealer | Pull)[], received: number) {
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
  const service = await serveRecipe("service", [endpoint], {
    "let underWay = 0;": "let underWay = 0, began = 0;",
    "underWay++;": "underWay++, began++;",
    "sleep(1000)": "sleep(300)",
    "return `": 'if (question === "/large") return Buffer.alloc(1e5);\n  return `',
    '"Stopped."': '"Stopped. %d", began',
  });
  const slow = connect(new Dealer({ receiveHighWaterMark: 1 }), endpoint);
  const dealers = Array.from({ length: 200 }, () => connect(new Dealer(), endpoint));
  for (const dealer of dealers) for (let n = 0; n < 5; n++) await dealer.send([`${n}`, "/slow"]);
  for (let n = 0; n < 200; n++) await slow.send([`${n}`, "/large"]);
  await slow.receive();
  await assertDelivers(service, [slow, ...dealers], 1);
});

test("sender.ts delivers all that it has queued, and ends", { skip }, async () => {
  const endpoint = await tcpEndpoint();
  const sender = await serveRecipe("sender", [endpoint], {
    "await sleep(100);": "",
    hello: "x".repeat(1000),
    "while (": "setInterval(() => console.log(sent), 100).unref();\nwhile (",
  });
  const pull = connect(new Pull({ receiveHighWaterMark: 1 }), endpoint);
  await pull.receive();
  const { all } = sender.stdout;
  await until(() => all.length > 2 && all.at(-1) === all.at(-2), "its queue is not full");
  await assertDelivers(sender, [pull], 1);
});

// zeromq.js puts off a receive() after 512 in a row; close() makes it reject.
test("service.ts ends well when close() comes between two questions", async () => {
  const endpoint = await tcpEndpoint();
  const dealer = connect(new Dealer(), endpoint);
  for (let n = 0; n < 900; n++) await dealer.send([`${n}`, "/fast"]);
  const wait = "for (const begin = performance.now(); performance.now() < begin + 300; );";
  const stop = `if (String(frames[1]) === "0") {${wait}\nprocess.nextTick(stop);}`;
  const service = startRecipe("service", [endpoint], { "underWay++;": `underWay++;\n${stop}` });
  assert.equal(await service.exitStatus(), 0);
  assert.equal(service.stdout.all.at(-1), "Stopped.");
});

test("service.ts gives up an answer that never comes", { skip }, async () => {
  const endpoint = await tcpEndpoint();
  const never = 'sleep(1e9, process.kill(process.pid, "SIGTERM"))';
  const service = startRecipe("service", [endpoint], { "sleep(1000)": never, "8000": "200" });
  await connect(new Dealer(), endpoint).send(["", "/slow"]);
  assert.equal(await service.exitStatus(), 1);
  assert.deepEqual(service.stderr.all, ["Gave up: not everything is delivered"]);
});

// The page's two files of keys, and a stranger's pair, made by the page's command.
const page = read("docs/recipes/README.md");
const [serverSecret, FRIENDS, SERVER_KEY, PUBLIC_KEY, SECRET_KEY] =
  page.match(/(?<=^\w+=')\S{40}(?='$)/gm) ?? [];
const client = { SERVER_KEY, PUBLIC_KEY, SECRET_KEY };
const envs = { server: { SECRET_KEY: serverSecret, FRIENDS }, client, watch: client };
const friend = {
  ...patient,
  curveServerKey: SERVER_KEY,
  curvePublicKey: PUBLIC_KEY,
  curveSecretKey: SECRET_KEY,
};
const [command = ""] = page.match(/node -p "[^`]*/) ?? [];
const printed = execSync(command, { cwd: root, encoding: "utf8", env: plainEnv() });
const [publicKey = "", secretKey = ""] = printed.match(/(?<=Key: ')\S{40}(?=')/g) ?? [];
const stranger = { PUBLIC_KEY: publicKey, SECRET_KEY: secretKey };

/** Starts a program with the page's keys, of which some may be others. */
const startSafe = (name: keyof typeof envs, args: string[], env = {}, changes?: Changes) =>
  startRecipe(`safe-${name}`, args, changes, { ...envs[name], ...env });

/** Starts a server: the program, and its endpoints. */
async function startSafeServer(changes?: Changes) {
  const endpoints = [await tcpEndpoint(), await tcpEndpoint()];
  const server = startSafe("server", endpoints, {}, changes);
  await server.stdout.next("Friends: 1");
  return { server, endpoints };
}

test("a friend gets replies and news; strangers get nothing, and can read nothing", async () => {
  const { endpoints } = await startSafeServer();
  let seen = "";
  const see = (bytes: Buffer) => (seen += bytes.toString("latin1"));
  const [replies, news] = await Promise.all(endpoints.map((endpoint) => layCable(endpoint, see)));
  const strangers = (["client", "watch"] as const).map((name, n) =>
    startSafe(name, [endpoints[n]], stranger, {}),
  );
  for (const options of [{}, { ...friend, curveServerKey: publicKey }])
    connect(new Request(options), endpoints[0]).events.on("handshake", () => (seen += "question"));
  const watch = startSafe("watch", [news.endpoint]);
  const request = connect(new Request(friend), replies.endpoint);
  const heard = watch.stdout.next("'question'");
  const ask = () => request.send("question").then(() => request.receive());
  while (!(await comesFirst(heard, ask())));
  for (const { exitStatus, stderr } of strangers) {
    assert.equal(await exitStatus(), 1);
    assert.deepEqual(stderr.all, ["The server does not let this PUBLIC_KEY in."]);
  }
  assert.match(seen, /CURVE/);
  assert.doesNotMatch(seen, /question/);
});

test("what is not a key ends the program, and is named with its length", async () => {
  const fail = async (name: keyof typeof envs, key: string, value: string, length: number) => {
    const { exitStatus, stderr } = startSafe(name, [], { [key]: value }, {});
    assert.equal(await exitStatus(), 1);
    assert.deepEqual(stderr.all, [`${key}: ${length} characters; a key has 40 of Z85`]);
  };
  await Promise.all([
    fail("server", "SECRET_KEY", `'${secretKey}'`, 42), // as docker run --env-file leaves it
    fail("server", "FRIENDS", `${publicKey} ${"_".repeat(40)}`, 40),
    fail("client", "SERVER_KEY", "", 0),
    fail("watch", "SECRET_KEY", publicKey.slice(1), 39),
  ]);
});

test("a doorkeeper serves several sockets, and survives an error; without it, nobody gets in", async () => {
  const { server, endpoints } = await startSafeServer({
    "{ friends })": '{ get friends() { if (!n++) throw "\\x1b"; return friends; } });\nlet n = 0;',
    "Publisher(options)": 'Publisher({ ...options, zapDomain: "others" })',
    maxMessageSize: "handshakeInterval: 200, maxMessageSize",
  });
  const request = connect(new Request(friend), endpoints[0]);
  await request.send("hello");
  assert.equal(String(await request.receive()), "hello");
  assert.deepEqual(server.stderr.all, ["The doorkeeper failed: '\\x1B'"]);
  assert.equal(await startSafe("watch", [endpoints[1]]).exitStatus(), 1);
  const alone = await startSafeServer({ "await doorkeeper.bind": "void" });
  await event(connect(new Request(friend), alone.endpoints[0]), "handshake:error:other");
});

const [file, copy] = ["a", "b"].map((name) => join(temporaryFolder(), name));
const content = randomBytes(1_500_000);

test("a file arrives complete, whichever end is killed; one that changes is not believed", async () => {
  const endpoint = await tcpEndpoint();
  writeFileSync(file, content);
  const print = "console.log((have += piece.length)); await new Promise((f) => setTimeout(f, 1));";
  const slowly = { "= 250_000": "= 5000", "have += piece.length;": print };
  const start = () => startRecipe("fetch", [copy, endpoint], slowly);
  const first = start();
  await first.stderr.next(`No server at ${endpoint}: trying again`);
  const offer = await serveRecipe("offer", [file, endpoint]);
  await first.stdout.next("200000");
  await end(offer);
  await serveRecipe("offer", [file, endpoint]);
  await first.stdout.next("700000");
  await end(first);
  assert.throws(() => readFileSync(copy));
  const second = start();
  assert.equal(await second.exitStatus(), 0);
  assert.ok(second.stdout.all.length < 180); // It continued where it was.
  assert.deepEqual(readFileSync(copy), content);
  truncateSync(file, 100);
  const third = start();
  assert.equal(await third.exitStatus(), 1);
  assert.deepEqual(third.stderr.all, [`${copy}: the file was changed meanwhile. Start again.`]);
  assert.throws(() => readFileSync(`${copy}.part`));
});

test("fetch.ts asks for four pieces ahead, and drops a piece that is not the next", async () => {
  const router = new Router(patient);
  const { exitStatus } = startRecipe("fetch", [copy, await bind(router)]);
  const hash = createHash("sha256").update(content).digest("hex");
  for (const [n, pieces] of [[], [], [], [2, 0], [0, 1], [2, 3, 4, 5]].entries()) {
    const [peer, ...asked] = await router.receive();
    assert.deepEqual(asked.map(String), [`${n * 250_000}`, "250000"]);
    for (const first of pieces.map((piece) => piece * 250_000)) {
      const piece = content.subarray(first, first + 250_000);
      await router.send([peer, `${first}`, "1500000", hash, piece]);
    }
  }
  assert.equal(await exitStatus(), 0);
  assert.equal(await drain(router), 0); // It asked for nothing else.
});

test("strangers neither end offer.ts nor fill its memory", async () => {
  const endpoint = await tcpEndpoint();
  await serveRecipe("offer", [copy, endpoint]);
  await bother(endpoint);
  const stranger = connect(new Dealer({ receiveHighWaterMark: 1, reconnectInterval: 0 }), endpoint);
  const odd = ["", "-1 9", "x 9", "0 -1", "0 x", "1.5 9", "1e300 9", "../secret 9", "0 9 9"];
  for (const request of odd) await stranger.send(request.split(" "));
  for (let n = 0; n < 300; n++) await stranger.send(["0", "1e9"]); // It reads no reply.
  const reader = connect(new Dealer(patient), endpoint);
  for (let n = 0; n < 400; n++) {
    await reader.send([`${n}`, `${n || 2_000_000}`]); // It gets 1,000,000 bytes at most.
    const [, , , piece] = await reader.receive(); // by turns with the stranger
    assert.deepEqual(piece, content.subarray(n, n + (n || 1_000_000)));
  }
  assert.ok((await drain(stranger)) < 100);
  await sendRefused(stranger, "x".repeat(1001));
});
