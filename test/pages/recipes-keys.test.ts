// docs/recipes: keep strangers out, with the keys that the page shows.
import assert from "node:assert/strict";
import { execSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Request } from "zeromq";
import { startProgram, TIMEOUT } from "../../tools/child.ts";
import { tcpEndpoint, temporaryFolder } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { connect, event } from "../support.ts";
import { comesFirst, copy, layCable } from "./support.ts";

const page = read("docs/recipes/README.md");
const folder = temporaryFolder();
const files = page.matchAll(/^```sh\n# (\w+)\.env\. Never use these keys[^\n]*\n(.*?)^```/gms);
for (const [, name, lines] of files) writeFileSync(join(folder, name), lines);
const keys = page.match(/(?<=^\w+=')\S{40}(?='$)/gm)?.slice(-3) ?? [];
const [curveServerKey, curvePublicKey, curveSecretKey] = keys;
const friend = { curveServerKey, curvePublicKey, curveSecretKey, receiveTimeout: TIMEOUT };
// The page's command makes a stranger's keys.
const [command = ""] = page.match(/node -p "[^`]*/) ?? [];
const printed = execSync(command, { encoding: "utf8", cwd: root });
const [publicKey = "", secretKey = ""] = printed.match(/(?<=Key: ')\S{40}(?=')/g) ?? [];
const stranger = { PUBLIC_KEY: publicKey, SECRET_KEY: secretKey };
const path = (name: string) => `docs/recipes/safe-${name}.ts`;

/** Starts a program with the page's keys for a server or a client, of which some may be others. */
function start(script: string, env: NodeJS.ProcessEnv, ...args: string[]) {
  const file = join(folder, /client|watch/.test(script) ? "client" : "server");
  const node = [`--env-file=${file}`, "--import", "tsx", script, ...args];
  return startProgram(process.execPath, node, { env });
}

/** Starts a server: the program, and its endpoints. */
async function startServer(script = path("server")) {
  const endpoints = [await tcpEndpoint(), await tcpEndpoint()];
  const server = start(script, {}, ...endpoints);
  await server.stdout.next("Friends: 1");
  return { server, endpoints };
}

test("a friend gets replies and news; strangers get nothing, and can read nothing", async () => {
  const { endpoints } = await startServer();
  let seen = "";
  const see = (bytes: Buffer) => (seen += bytes.toString("latin1"));
  const [replies, news] = await Promise.all(endpoints.map((end) => layCable(end, see)));
  const strangers = ["client", "watch"].map((name, n) => start(path(name), stranger, endpoints[n]));
  for (const options of [{}, { ...friend, curveServerKey: publicKey }])
    connect(new Request(options), endpoints[0]).events.on("handshake", () => (seen += "question"));
  const watch = start(path("watch"), {}, news.endpoint);
  const request = connect(new Request(friend), replies.endpoint);
  const heard = watch.stdout.next("'question 0'");
  const ask = () => request.send("question 0").then(() => request.receive());
  while (!(await comesFirst(heard, ask())));
  const client = start(path("client"), {}, replies.endpoint);
  for (const { stdout } of [client, watch])
    for (const n of [1, 2]) await stdout.next(`'question ${n}'`);
  for (const { exitStatus, stderr } of strangers) {
    assert.equal(await exitStatus(), 1);
    assert.deepEqual(stderr.all, ["The server does not let this PUBLIC_KEY in."]);
  }
  assert.match(seen, /CURVE/);
  assert.doesNotMatch(seen, /question/);
});

test("what is not a key ends the program, and is named with its length", async () => {
  const end = async (script: string, name: string, value: string, length: number) => {
    const { exitStatus, stderr } = start(path(script), { [name]: value });
    assert.equal(await exitStatus(), 1);
    assert.deepEqual(stderr.all, [`${name}: ${length} characters; a key has 40 of Z85`]);
  };
  await Promise.all([
    end("server", "SECRET_KEY", `'${secretKey}'`, 42), // as docker run --env-file leaves it
    end("server", "FRIENDS", `${publicKey} ${"_".repeat(40)}`, 40),
    end("client", "SERVER_KEY", "", 0),
    end("watch", "SECRET_KEY", publicKey.slice(1), 39),
  ]);
});

test("a doorkeeper serves several sockets, and survives an error; without it, nobody gets in", async () => {
  const changes = {
    "{ friends })": '{ get friends() { if (!n++) throw "\\x1b"; return friends; } });\nlet n = 0;',
    "Publisher(options)": 'Publisher({ ...options, zapDomain: "others" })',
    maxMessageSize: "handshakeInterval: 200, maxMessageSize",
  };
  const { server, endpoints } = await startServer(copy(path("server"), changes));
  const request = connect(new Request(friend), endpoints[0]);
  await request.send("hello");
  assert.equal(String(await request.receive()), "hello");
  assert.deepEqual(server.stderr.all, ["The doorkeeper failed: '\\x1B'"]);
  assert.equal(await start(path("watch"), {}, endpoints[1]).exitStatus(), 1);
  const alone = await startServer(copy(path("server"), { "await doorkeeper.bind": "void" }));
  await event(connect(new Request(friend), alone.endpoints[0]), "handshake:error:other");
});
