// The programs of the README's "Copy it into your project": its code is run.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { curveKeyPair, Request } from "zeromq";
import { freePort, tcp } from "../tools/endpoints.ts";
import { end, root, run } from "../tools/script.ts";
import { open } from "../tools/sockets.ts";
import { project } from "../tools/temporary.ts";

afterEach(end);

const read = (path: string) => readFileSync(join(root, path), "utf8");

/** The lines of TypeScript below one of the README's headings, by block. */
function code(heading: string) {
  const [, section] = read("README.md").split(`\n### ${heading}\n`);
  const blocks = section.split(/^##/m)[0].matchAll(/^```ts\n(.*?)^```$/gms);
  const texts = Array.from(blocks, ([, text]) => text);
  assert.ok(texts.join("").split(/\n+/).length <= 31, "thirty lines");
  return texts;
}

/** Writes a program into a project of its own, and returns how to start it. */
function program(text: string) {
  const cwd = project();
  writeFileSync(join(cwd, "program.ts"), text);
  return (endpoint: string, env: NodeJS.ProcessEnv = {}) =>
    run(process.execPath, ["--import", "tsx", "program.ts", endpoint], {
      cwd,
      env,
    });
}

test("jobs that are asked for are all done, whoever dies", async () => {
  const [startServer, startWorker] = code("Jobs that must not be lost").map(program);
  const endpoint = await tcp();
  const { stdout } = startServer(endpoint);

  // Somebody takes a job and is never heard of again; a worker is killed.
  const taker = open(new Request());
  taker.connect(endpoint);
  await taker.send("");
  assert.equal(String(await taker.receive()), "job 1");
  taker.close();
  const mortal = startWorker(endpoint);
  const heir = startWorker(endpoint);
  await mortal.stdout.next(/^job/, 3);
  mortal.child.kill("SIGKILL");

  await stdout.next(/: done$/, 50);
  const done = stdout.all.map((line) => line.replace(": done", ""));
  assert.deepEqual(
    new Set(done),
    new Set(Array.from({ length: 50 }, (_, n) => `job ${n + 1}`)),
  );
  const last = mortal.stdout.all[mortal.stdout.all.length - 1];
  assert.ok(heir.stdout.all.includes(last), `${last} is done by the other`);
  assert.deepEqual([...heir.stderr.all, ...mortal.stderr.all], []);
});

test("strangers are kept out, and what friends say is not to be seen", async () => {
  const [door, key] = code("Keep strangers out");
  const socket = /^const socket = new \w+\(.*\);\n/m;
  const startServer = program(read("eventloop/server.ts").replace(socket, () => door));
  const startClient = program(read("eventloop/client.ts").replace(socket, () => key));
  const startPlain = program(read("eventloop/client.ts"));

  const [server, friend, other, stranger] = [1, 2, 3, 4].map(curveKeyPair);
  const port = await freePort();
  const served = startServer(`tcp://127.0.0.1:${port}`, {
    SECRET_KEY: server.secretKey,
    FRIENDS: `${other.publicKey} ${friend.publicKey}`,
  });
  await served.stdout.next(/./);

  // All that passes is read on the way.
  let seen = "";
  const wire = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const end of [near, far]) {
      end.on("error", () => {});
      end.on("data", (bytes) => (seen += bytes.toString("latin1")));
    }
  }).unref();
  await once(wire.listen(await freePort(), "127.0.0.1"), "listening");
  const address = wire.address();
  assert.ok(address instanceof Object);
  const endpoint = `tcp://127.0.0.1:${address.port}`;

  const as = (pair: typeof friend, serverKey = server.publicKey) =>
    startClient(endpoint, {
      SERVER_KEY: serverKey,
      PUBLIC_KEY: pair.publicKey,
      SECRET_KEY: pair.secretKey,
    });
  const strangers = [
    as(stranger),
    as(friend, stranger.publicKey),
    startPlain(endpoint),
  ];
  for (const pair of [friend, other]) {
    const client = as(pair);
    assert.equal(await client.status(), 0);
    assert.equal(client.stdout.all.length, 5);
  }
  assert.equal(served.stdout.all.length, 11);
  for (const { runs, stdout } of strangers) {
    assert.ok(runs());
    assert.deepEqual(stdout.all, []);
  }
  assert.match(seen, /CURVE/);
  assert.doesNotMatch(seen, /hello/);
});
