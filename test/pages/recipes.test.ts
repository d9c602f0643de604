// The programs of docs/recipes.md, as they stand there, keep its promises.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  curveKeyPair,
  Dealer,
  Publisher,
  Pull,
  Request,
  Router,
  Subscriber,
  XSubscriber,
} from "zeromq";
import { type Program, startProgram, TIMEOUT } from "../../tools/child.ts";
import { freePort, temporaryFolder } from "../../tools/endpoints.ts";
import { read } from "../../tools/repository.ts";
import {
  connect,
  event,
  notOnWindows,
  open,
  outsideAddress,
  project,
  scripts,
} from "../support.ts";

const page = read("docs/recipes.md");
const programs = new Map<string, string>();
for (const [, name, code] of page.matchAll(/^`([\w.-]+)`[^\n]*\n```(?:ts|python)\n(.*?)^```$/gms)) {
  programs.set(name, code);
}

// The page's ports may be in use: each becomes one that is free.
const ports = new Map<string, string>();
const PORT = /\b(?:55[67]\d|8080)\b/g;
for (const code of [page, ...scripts.map(read)]) {
  for (const [port] of code.matchAll(PORT)) {
    if (!ports.has(port)) ports.set(port, String(await freePort()));
  }
}
const moved = (code: string) => code.replace(PORT, (port) => ports.get(port) ?? "");
const at = (port: number) => moved(`tcp://127.0.0.1:${port}`);

const folder = project();
const write = (file: string, code: string) => {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), moved(code));
};
for (const script of scripts) write(script, read(script));
beforeEach(() => {
  for (const [name, code] of programs) write(name, code);
});

/** Writes a program again, with something else in it. */
function edit(name: string, from: string, to: string, as = name) {
  const code = programs.get(name) ?? "";
  assert.ok(code.includes(from), `${name} has no ${from}`);
  write(as, code.replaceAll(from, to));
}

const [server, friend, stranger] = [1, 2, 3].map(curveKeyPair);
const keys = {
  SERVER_KEY: server.publicKey,
  PUBLIC_KEY: friend.publicKey,
  SECRET_KEY: friend.secretKey,
};
const asEnv = (env: Record<string, string>) =>
  Object.entries(env)
    .map(([name, key]) => `${name}='${key}'\n`)
    .join("");
const doors = { SECRET_KEY: server.secretKey, FRIENDS: friend.publicKey };
write("server.env", asEnv(doors));
write("client.env", asEnv(keys));

// Where the examples' IPC endpoint is.
const TMPDIR = temporaryFolder();

/** Starts a command of the page's. */
function play(command: string, env: NodeJS.ProcessEnv = {}) {
  const options = { cwd: folder, env: { TMPDIR, TEMP: TMPDIR, ...env } };
  const [program, ...args] = moved(command).split(" ");
  if (command.includes("&")) return startProgram("sh", ["-c", moved(command)], options);
  return startProgram(program === "node" ? process.execPath : program, args, options);
}

/** Starts a program of the page's. */
const start = (name: string, ...args: string[]) =>
  play(["node --import tsx", name, ...args].join(" "));

/** Expects a program to print what the page shows; the numbers may be others. */
async function expectLines({ child, stdout }: Program, lines: string[]) {
  for (const line of lines) {
    if (line.startsWith("^C")) child.kill("SIGINT");
    const shown = line.replace("^C", "").replace(/[.*+?^$()[\]{}|\\]/g, "\\$&");
    await stdout.next(new RegExp(`^${shown.replace(/\d+/g, "\\d+")}$`));
  }
}

const python = spawnSync("python3", ["-c", "import zmq"]).status === 0;
const curl = spawnSync("curl", ["--version"]).status === 0;

// All at once, as most of the time they wait.
test("each terminal shows what the page does", async (t) => {
  if (!python) t.diagnostic("not those with python3, as it has no zmq");
  if (!curl) t.diagnostic("not those with curl, as there is none");
  if (notOnWindows) t.diagnostic(`not those with Ctrl-C: ${notOnWindows}`);
  // The text says that these are to be started, too.
  for (const name of ["waynes-world/server.ts", "passing-json/server.ts", "sensor.ts"]) start(name);
  const all = [...page.matchAll(/^```console\n\$ (.*?)\n(.*?)^```$/gms)];
  assert.ok(all.length > 10);
  const blocks = all
    .filter(([, command]) => !command.includes("/slow")) // see below
    .filter(([, command]) => python || !command.startsWith("python3"))
    .filter(([, command]) => curl || !command.startsWith("curl"))
    .filter(([, , output]) => !notOnWindows || !output.includes("^C"));
  const terminals: Promise<void>[] = [];
  for (const [, command, output] of blocks) {
    // curl does not wait for a server.
    if (command.startsWith("curl")) await Promise.all(terminals);
    terminals.push(expectLines(play(command), output.trimEnd().split("\n")));
  }
  await Promise.all(terminals);
});

test("no recipe has over 45 lines, and the page has no more than 600", () => {
  assert.equal(programs.size, 14);
  for (const [name, code] of programs) {
    assert.ok(code.trimEnd().split("\n").length <= 45, name);
  }
  assert.ok(page.trimEnd().split("\n").length <= 600);
});

const subscribe = (topic: string, port = 5570) => {
  const socket = connect(new Subscriber({ receiveTimeout: TIMEOUT }), at(port));
  socket.subscribe(topic);
  return socket;
};
const receive = async (socket: Subscriber) => (await socket.receive()).map(String);

test("whoever joins gets the latest picture; a topic ends with its delimiter", async () => {
  edit("cameras.ts", "1000", "300");
  start("cameras.ts");
  const first = subscribe("cam1/");
  const [, latest] = await receive(first);
  const second = subscribe("cam1");
  const topics = new Set<string>();
  let repeated = false;
  for (let last = latest, n = 0; n < 3; n++) {
    const [topic, picture] = await receive(first);
    assert.equal(topic, "cam1/");
    repeated ||= picture === last;
    last = picture;
    topics.add((await receive(second))[0]);
  }
  assert.ok(repeated);
  assert.deepEqual([...topics].sort(), ["cam1/", "cam10/"]);
});

test("a crowd that joins does not end the publisher", async () => {
  edit("cameras.ts", "1000", "300");
  const { isRunning, stderr } = start("cameras.ts");
  const first = subscribe("cam2/");
  const count = async () => Number((await receive(first))[1].replace("picture ", ""));
  const early = await count();
  const crowd = connect(new XSubscriber(), at(5570));
  for (let n = 0; n < 20_000; n++) await crowd.send("\x01c"); // as many join
  while ((await count()) < early + 5);
  assert.ok(isRunning());
  assert.deepEqual(stderr.all, []);
});

test("a publisher knows when a topic's last subscriber has left", async () => {
  const { stdout } = start("cameras.ts");
  const [one, other] = [subscribe("cam1/"), subscribe("cam1/")];
  await stdout.next("Watched: 'cam1/'", 2);
  one.close();
  const third = subscribe("cam1/");
  await stdout.next("Watched: 'cam1/'");
  third.close();
  other.close();
  await stdout.next("No longer watched: 'cam1/'");
  subscribe("cam2/");
  await stdout.next("Watched: 'cam2/'");
  assert.equal(stdout.all.length, 5);
});

test("no job is lost when a worker or jobs.ts is killed, and none when it ends", async () => {
  edit("jobs.ts", "5000", "500");
  edit("worker.ts", "000", "00"); // all but the job itself takes a tenth
  write("jobs.log", "");
  const log = () => readFileSync(join(folder, "jobs.log"), "utf8").trim().split("\n");
  let jobs = start("jobs.ts");
  const workers = [start("worker.ts"), start("worker.ts")];
  const stranger = connect(new Dealer(), at(5569));
  await stranger.send("job 2");
  await stranger.send(["", "maybe", "job 3"]);
  await jobs.stdout.next(/^done/, 12);
  jobs.child.kill("SIGKILL");
  await jobs.exitStatus();
  const done = log().length;
  const getsTwoMore = async (worker: Program) => {
    worker.stdout.skip();
    await worker.stdout.next(/^job/, 2);
    return worker;
  };
  const first = Promise.race(workers.map(getsTwoMore));
  jobs = start("jobs.ts");
  await jobs.stdout.next(`${50 - done} jobs to do.`);
  const victim = await first;
  victim.child.kill("SIGKILL");
  assert.equal(await jobs.exitStatus(), 0);
  const all = Array.from({ length: 50 }, (_, n) => `${n === 6 ? "failed" : "done"} job ${n + 1}`);
  assert.deepEqual(log().sort(), all.sort());

  const worker = workers[victim === workers[0] ? 1 : 0];
  await worker.stderr.next(/^No server at/);
  write(
    "jobs.log",
    log()
      .filter((line) => line !== "failed job 7")
      .join("\n"),
  );
  const { exitStatus } = start("jobs.ts");
  await worker.stdout.next("job 7");
  assert.equal(await exitStatus(), 0);
  assert.ok(worker.isRunning());
});

test("a worker that got no reply in time asks anew, and no old reply holds it up", async () => {
  edit("worker.ts", "000", "00"); // all but the job itself takes a tenth
  const router = open(new Router());
  await router.bind(at(5569));
  const worker = start("worker.ts");
  const asked = [await router.receive(), await router.receive()];
  const answer = async (frames: Buffer[]) => {
    await setTimeout(100);
    await router.send([...frames.slice(0, -2), "job 1"]);
  };
  const serve = async () => {
    for (const frames of asked) await answer(frames);
    for await (const frames of router) await answer(frames);
  };
  serve();
  await worker.stdout.next("job 1");
});

/** Asks the HTTP front end: the status, and the answer. */
async function get(path: string) {
  const port = Number(ports.get("8080"));
  const request = http.get({ port, path, agent: false, signal: AbortSignal.timeout(TIMEOUT) });
  const [response] = await once(request, "response");
  return `${response.statusCode} ${await text(response)}`;
}
const getAll = (name: string, count: number) =>
  Promise.all(Array.from({ length: count }, (_, n) => get(`/${name}${n}`)));

test("1,500 requests at once are answered; without a server, they get 504", async () => {
  const front = start("front.ts");
  await front.stdout.next("Listening.");
  const lost = new Set(await getAll("early", 100));
  assert.deepEqual(lost, new Set(["504 No answer in five seconds.\n"]));
  const inTime = getAll("in-time", 20);
  const server = start("eventloop/server.ts");
  assert.deepEqual(
    await inTime,
    Array.from({ length: 20 }, (_, n) => `200 /in-time${n}`),
  );
  const answers = await getAll("now", 1500);
  assert.deepEqual(
    answers,
    answers.map((_, n) => `200 /now${n}`),
  );
  await server.stdout.next(/now/, 1500);
  assert.ok(!server.stdout.all.some((line) => line.includes("early")));
  assert.deepEqual(front.stderr.all, []);
});

test("a slow answer does not hold up the others", async () => {
  start("service.ts");
  await start("front.ts", at(5571)).stdout.next("Listening.");
  const [, command, output] = /^\$ (.*slow.*)\n([^`]*)/m.exec(page) ?? [];
  await get("/"); // both are there
  let ended = false;
  const slow = get("/slow").then(() => (ended = true));
  for (let n = 0; n < 5; n++) await get("/fast");
  assert.ok(!ended);
  await slow;
  if (curl) await expectLines(play(command), output.trimEnd().split("\n"));
});

test("a stranger gets nothing, and a friend all; nobody reads what they say", async () => {
  const { stdout } = play("node --import tsx safe-server.ts", doors);
  await stdout.next(/./);
  const options = { immediate: true, receiveTimeout: TIMEOUT };
  const curve = (pair: typeof friend, curveServerKey = server.publicKey) => ({
    ...options,
    curveServerKey,
    curvePublicKey: pair.publicKey,
    curveSecretKey: pair.secretKey,
  });
  const strangers = [options, curve(stranger), curve(friend, stranger.publicKey)];
  const replies: unknown[] = [];
  for (const options of strangers) {
    const request = new Request(options);
    const tries = event(request, "connect");
    connect(request, at(5572));
    const asked = request.send("let me in").then(() => request.receive());
    asked.then(
      (reply) => replies.push(reply),
      () => {},
    ); // it is closed
    await tries;
  }

  let seen = "";
  const relay = net.createServer((near) => {
    const far = net.connect(Number(ports.get("5572")), "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const end of [near, far])
      end.on("error", () => {}).on("data", (bytes) => (seen += bytes.toString("latin1")));
  });
  const port = await freePort();
  await once(relay.listen(port, "127.0.0.1").unref(), "listening");
  const client = play(`node --import tsx safe-client.ts tcp://127.0.0.1:${port}`, keys);
  assert.equal(await client.exitStatus(), 0, client.stderr.all.join("\n"));
  assert.equal(client.stdout.all.at(-1), "'question 1000'");
  assert.deepEqual(replies, []);
  assert.match(seen, /CURVE/);
  assert.doesNotMatch(seen, /question/);

  const pair = { PUBLIC_KEY: stranger.publicKey, SECRET_KEY: stranger.secretKey };
  const other = play("node --import tsx safe-client.ts", { ...keys, ...pair });
  assert.equal(await other.exitStatus(), 1);
  assert.deepEqual(other.stderr.all, ["The server does not know this PUBLIC_KEY."]);
});

test("a key that is missing or cut ends the program, and is named", async () => {
  const ends: [string, Record<string, string>][] = [
    ["safe-server.ts", doors],
    ["safe-client.ts", keys],
  ];
  const all = ends.flatMap(([name, env]) =>
    Object.keys(env).map(async (variable, n) => {
      const cut = n % 2 ? undefined : env[variable].slice(1);
      const { exitStatus, stderr } = play(`node --import tsx ${name}`, { ...env, [variable]: cut });
      assert.equal(await exitStatus(), 1);
      const sentence = `${variable}: not set, or cut. A key has 40 characters.`;
      assert.deepEqual(stderr.all, [sentence]);
    }),
  );
  await Promise.all(all);
});

test("on SIGTERM, the answer under way is still sent", { skip: notOnWindows }, async () => {
  const service = start("service.ts");
  const dealer = connect(new Dealer({ receiveTimeout: TIMEOUT }), at(5571));
  await dealer.send(["1", "/slow"]);
  await dealer.send(["2", "/fast"]);
  assert.equal(String((await dealer.receive())[0]), "2"); // so 1 is under way
  service.child.kill("SIGTERM");
  assert.equal(String((await dealer.receive())[0]), "1");
  assert.equal(await service.exitStatus(), 0);
  assert.equal(service.stdout.all.at(-1), "Stopped.");
  assert.deepEqual(service.stderr.all, []);
});

const root = process.platform === "linux" && process.getuid?.() === 0;
test(
  "as the first process of a container, it ends, and others go on",
  { skip: !root && "this needs Linux, and root" },
  async () => {
    const boot = async (name: string) => {
      const { child, stdout, exitStatus } = play(`unshare --pid --fork node --import tsx ${name}`);
      await stdout.next(/./);
      const first = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
      process.kill(first, "SIGTERM");
      return { first, stdout, exitStatus };
    };
    const service = await boot("service.ts");
    assert.equal(await service.exitStatus(), 0);
    const echo = await boot("eventloop/server.ts");
    const request = connect(new Request({ receiveTimeout: TIMEOUT }), at(5568));
    await request.send("hello");
    assert.equal(String(await request.receive()), "hello");
    process.kill(echo.first, "SIGKILL");
  },
);

test("close() loses none of 900 messages; process.exit() and an error do", async (t) => {
  const burst = async (last: string, receiveTimeout: number) => {
    const pull = open(new Pull({ receiveHighWaterMark: 1, receiveTimeout }));
    await pull.bind("tcp://127.0.0.1:*");
    write(
      "burst.mjs",
      `
      import { Push } from "zeromq";
      const socket = new Push({ sendHighWaterMark: 0 });
      socket.connect("${pull.lastEndpoint}");
      for (let n = 0; n < 900; n++) await socket.send(Buffer.alloc(20_000));
      console.log("queued");
      ${last}`,
    );
    const { stdout, ended } = play("node burst.mjs");
    await stdout.next("queued");
    if (receiveTimeout < 1000) await ended;
    let count = 0;
    while (await pull.receive().catch(() => {})) if (++count === 900) break;
    pull.close();
    t.diagnostic(`${last} ${count} of 900`);
    return count;
  };
  assert.equal(await burst("socket.close();", TIMEOUT), 900);
  assert.ok((await burst("process.exit();", 200)) < 900);
  assert.ok((await burst('throw new Error("a bug");', 200)) < 900);
});

test(
  "0.0.0.0 is reached from other machines, the default is not",
  { skip: !outsideAddress && "this machine has no other address" },
  async () => {
    const { stdout } = start("cameras.ts", "tcp://0.0.0.0:5570");
    const far = `tcp://${outsideAddress}:${ports.get("5570")}`;
    const watcher = start("watch.ts", "cam1/", far);
    await watcher.stdout.next(/picture/);
    await stdout.next(/Watched/);
    start("service.ts");
    await start("front.ts", at(5571)).stdout.next(/./);
    await get("/"); // now the service has bound its port
    const late = net.connect(Number(ports.get("5571")), outsideAddress);
    await assert.rejects(once(late, "connect"), { code: "ECONNREFUSED" });
  },
);

test("with heartbeats, a subscriber comes back after a power loss", async () => {
  edit("cameras.ts", "1000", "100");
  edit("watch.ts", "1000", "200");
  edit("watch.ts", "heartbeatInterval: 1000,", "", "naive.ts");
  start("cameras.ts");
  await receive(subscribe("cam2/")); // so it is bound
  let power = true;
  const relay = net.createServer((near) => {
    const far = net.connect(Number(ports.get("5570")), "127.0.0.1");
    const dies = power;
    near.on("data", (bytes) => (power || !dies) && far.write(bytes));
    far.on("data", (bytes) => (power || !dies) && near.write(bytes));
    for (const end of [near, far]) end.on("error", () => {});
  });
  const port = await freePort();
  await once(relay.listen(port, "127.0.0.1").unref(), "listening");
  const watchers = ["watch.ts", "naive.ts"].map((name) =>
    start(name, "cam1/", `tcp://127.0.0.1:${port}`),
  );
  for (const { stdout } of watchers) await stdout.next(/picture/);
  power = false; // for these connections
  const [wise, naive] = watchers;
  const last = naive.stdout.all.length;
  wise.stdout.skip();
  await wise.stdout.next(/picture/, 20);
  assert.ok(naive.stdout.all.length < last + 10); // what was under way
});

test("all publishers reach all subscribers through one forwarder, a new one, too", async () => {
  const publishers = [1, 2].map(() => connect(new Publisher(), at(5575)));
  const subscribers = [subscribe("a/", 5576), subscribe("a/", 5576)];
  for (const life of ["first", "second"]) {
    const forwarder = start("forwarder.ts");
    const sending = setInterval(() => {
      for (const [n, socket] of publishers.entries()) socket.send(["a/", `${life} ${n}`]);
    }, 50).unref();
    for (const subscriber of subscribers) {
      const missing = new Set([`${life} 0`, `${life} 1`]);
      while (missing.size > 0) missing.delete((await receive(subscriber))[1]);
    }
    clearInterval(sending);
    forwarder.child.kill();
    await forwarder.exitStatus();
  }
});

test("own.test.ts passes, ends, and fails when its function is wrong", async () => {
  const command = "node --import tsx --test own.test.ts";
  assert.ok(page.includes(command));
  assert.equal(await play(command).exitStatus(), 0);
  edit("own.test.ts", 'subscribe("cam1/")', 'subscribe("")');
  assert.equal(await play(command).exitStatus(), 1);
});
