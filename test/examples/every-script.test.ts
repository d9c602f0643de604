// What all seven scripts have in common.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { Push, XPublisher } from "zeromq";
import {
  read, root, run, type Script, scripts, serve, servers, start,
} from "../tools/script.ts";
import { freePort, ipc, project, tcp } from "../tools/temporary.ts";
import { event, open, test } from "../tools/test.ts";

test("the folders hold seven scripts, which begin alike", () => {
  assert.equal(scripts.length, 7);
  for (const script of scripts) {
    const [line] = read(script).split("\n");
    assert.equal(line, "#!/usr/bin/env -S node --import tsx", script);
  }
});

// From Node 22.18 on, Node strips the types by itself.
const strips = "typescript" in process.features && process.features.typescript;
const options = strips ? [] : ["--import", "tsx"];

for (const script of scripts) {
  const [folder, file] = script.split("/");
  test(`${script} is copied, and gets a malformed endpoint`, async () => {
    const cwd = project();
    cpSync(join(root, folder), cwd, { recursive: true });
    const node = [...options, file, "--help"];
    const { stdout, stderr, status } = run(process.execPath, node, { cwd });
    assert.equal(await status(), 1);
    assert.deepEqual(stdout.all, []);
    if (servers.includes(script)) {
      assert.deepEqual(stderr.all, ["Cannot bind --help: Invalid argument"]);
    } else {
      const report = stderr.all.join("\n");
      assert.match(report, /^socket\.connect\(endpoint\);$/m);
      assert.match(report, /^Error: Invalid argument$/m);
      assert.match(report, /address: '--help'/);
    }
  });
}

/** Ends a script with Ctrl-C, on which it says nothing. */
async function interrupt({ child, status, stderr }: Script) {
  const said = stderr.all.length;
  child.kill("SIGINT");
  // On Windows, there is no such signal: it is ended at once.
  assert.equal(await status(), "SIGINT");
  assert.equal(stderr.all.length, said);
}

/** Starts a client, and waits until it says that there is no server. */
async function startEarly(script: string, endpoint: string) {
  const client = start(script, endpoint);
  await client.stderr.next(`No server at ${endpoint}: waiting for one.`);
  return client;
}

for (const [script, endpoint, server] of [
  ["waynes-world/camera1.ts", await tcp(), () => new XPublisher()],
  ["waynes-world/camera2.ts", ipc(), () => new XPublisher()],
  ["passing-json/client.ts", await tcp(), () => new Push()],
] as const) {
  test(`${script} waits for its server, and its next start, until Ctrl-C`, async () => {
    const client = await startEarly(script, endpoint);
    for (let starts = 1; starts <= 2; starts++) {
      const socket = open(server());
      await socket.bind(endpoint);
      if (socket instanceof XPublisher) await socket.receive(); // subscription
      await socket.send('{"code":1,"text":"hello"}');
      await client.stdout.next(/hello/);
      const freed = event(socket, "close");
      socket.close();
      await freed;
    }
    await interrupt(client);
    assert.equal(client.stderr.all.length, 1, "said once");
  });
}

// A check of the port would refuse what ZeroMQ takes, modulo 65536.
test("eventloop/client.ts takes a port over 65535, until Ctrl-C", async () => {
  const client = await startEarly("eventloop/client.ts", "tcp://127.0.0.1:99999");
  await interrupt(client);
  assert.deepEqual(client.stdout.all, []);
});

for (const [script, everywhere, ...more] of [
  ["waynes-world/server.ts", "*", "tcp://127.0.0.1:*"],
  ["passing-json/server.ts", "*"],
  ["eventloop/server.ts", "0.0.0.0"],
]) {
  test(`${script} binds to ${everywhere}, until Ctrl-C`, async () => {
    const port = await freePort();
    const endpoint = `tcp://${everywhere}:${port}`;
    const server = await serve(script, endpoint, ...more);
    const peer = net.connect(port, "127.0.0.1");
    await once(peer, "connect");
    peer.destroy();
    await interrupt(server);
  });
}
