// What all seven scripts have in common.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { freePort } from "../tools/endpoints.ts";
import {
  end, root, run, type Script, scripts, serve, servers, start,
} from "../tools/script.ts";
import { project, temporary } from "../tools/temporary.ts";

const clients = scripts.filter((script) => !servers.includes(script));
const nowhere = `ipc://${join(temporary(), "none", "x.ipc")}`;

afterEach(end);

test("the folders hold seven scripts, which begin alike", () => {
  assert.equal(scripts.length, 7);
  for (const script of scripts) {
    const [line] = readFileSync(join(root, script), "utf8").split("\n");
    assert.equal(line, "#!/usr/bin/env -S node --import tsx", script);
  }
});

/** Ends a script with Ctrl-C, on which it says nothing. */
async function interrupt({ child, status, stderr }: Script) {
  const said = stderr.all.length;
  child.kill("SIGINT");
  // On Windows, there is no such signal: it is ended at once.
  assert.equal(await status(), "SIGINT");
  assert.equal(stderr.all.length, said);
}

// From Node 22.18 on, Node strips the types by itself.
const [major, minor] = process.versions.node.split(".").map(Number);
const strips = major > 22 || (major === 22 && minor >= 18);
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

for (const script of clients) {
  test(`${script} waits for what is not there, until Ctrl-C`, async () => {
    const client = start(script, nowhere);
    const hint = `No server at ${nowhere}: waiting for one.`;
    await client.stderr.next(hint);
    await interrupt(client);
    assert.deepEqual(client.stderr.all, [hint]);
    assert.deepEqual(client.stdout.all, []);
  });
}

test("a client takes a port over 65535 as ZeroMQ does", async () => {
  const endpoint = "tcp://127.0.0.1:99999";
  const { stderr, runs } = start("passing-json/client.ts", endpoint);
  await stderr.next(`No server at ${endpoint}: waiting for one.`);
  assert.ok(runs());
});

for (const [script, everywhere, ...more] of [
  ["waynes-world/server.ts", "*", "tcp://127.0.0.1:*"],
  ["passing-json/server.ts", "*"],
  ["eventloop/server.ts", "0.0.0.0"],
]) {
  test(`${script} listens everywhere, until Ctrl-C`, async () => {
    const port = await freePort();
    const endpoint = `tcp://${everywhere}:${port}`;
    const server = await serve(script, endpoint, ...more);
    const peer = connect(port, "127.0.0.1");
    await once(peer, "connect");
    peer.destroy();
    await interrupt(server);
  });
}
