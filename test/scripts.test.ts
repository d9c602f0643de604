// What all seven scripts have in common.
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { ipc, tcp } from "../tools/endpoints.ts";
import {
  end,
  examples,
  root,
  run,
  scripts,
  serve,
  servers,
  start,
} from "../tools/script.ts";
import { project, temporary } from "../tools/temporary.ts";

const clients = scripts.filter((script) => !servers.includes(script));
const windows = process.platform === "win32";

afterEach(end);

test("the folders hold seven scripts, which begin alike", () => {
  assert.equal(scripts.length, 7);
  for (const script of scripts) {
    const [line] = readFileSync(join(root, script), "utf8").split("\n");
    assert.equal(line, "#!/usr/bin/env -S node --import tsx", script);
  }
});

for (const script of servers) {
  test(`${script} says in a line why it cannot bind`, async () => {
    for (const [endpoint, reason] of [
      ["localhost:5566", "Invalid argument"],
      ["--help", "Invalid argument"],
      [`ipc://${join(temporary(), "none", "x.ipc")}`, "No such endpoint"],
    ]) {
      const { stdout, stderr, status } = start(script, endpoint);
      assert.equal(await status(), 1);
      assert.deepEqual(stderr.all, [`Cannot bind ${endpoint}: ${reason}`]);
      assert.deepEqual(stdout.all, []);
    }
  });

  test(`${script} binds to wildcards`, async () => {
    const everywhere = (await tcp()).replace("127.0.0.1", "*");
    for (const endpoint of ["tcp://127.0.0.1:*", everywhere]) {
      const { child, stderr } = await serve(script, endpoint, ipc());
      child.kill();
      assert.deepEqual(stderr.all, []);
    }
  });
}

for (const script of clients) {
  test(`${script} ends with Node's report of a malformed endpoint`, async () => {
    for (const endpoint of ["localhost:5566", "--help"]) {
      const { stdout, stderr, status } = start(script, endpoint);
      assert.equal(await status(), 1);
      const report = stderr.all.join("\n");
      assert.match(report, /^socket\.connect\(endpoint\);$/m);
      assert.match(report, /^Error: Invalid argument$/m);
      assert.match(report, new RegExp(`address: '${endpoint}'`));
      assert.deepEqual(stdout.all, []);
    }
  });

  test(`${script} waits for what is not there`, async () => {
    for (const endpoint of [
      "tcp://127.0.0.1:99999",
      `ipc://${join(temporary(), "none", "x.ipc")}`,
    ]) {
      const { stderr, runs } = start(script, endpoint);
      await stderr.next(`No server at ${endpoint}: waiting for one.`);
      assert.ok(runs());
    }
  });
}

for (const script of scripts) {
  test(
    `Ctrl-C ends ${script}, without a word`,
    { skip: windows && "Windows has no such signals" },
    async () => {
      const { child, stdout, stderr, status } = start(
        script,
        await tcp(),
        ipc(),
      );
      // A server prints this when it is listening, a client while it waits.
      await (servers.includes(script) ? stdout : stderr).next(/./);
      const before = [...stdout.all, ...stderr.all];
      child.kill("SIGINT");
      assert.equal(await status(), "SIGINT");
      assert.deepEqual([...stdout.all, ...stderr.all].slice(0, 1), before);
    },
  );
}

for (const example of examples) {
  test(`${example} needs nothing outside its folder`, async () => {
    const path = project();
    cpSync(join(root, example), path, { recursive: true });
    const copies = scripts.filter((script) => script.startsWith(example));
    for (const script of copies) {
      const copy = join(path, script.slice(example.length));
      assert.ok(existsSync(copy));
      const { stderr } = start(copy, "?");
      await stderr.next(/Invalid argument$/);
    }
  });
}

test("Node 22.18 and later run the scripts without tsx", async () => {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const strips = major > 22 || (major === 22 && minor >= 18);
  for (const script of scripts) {
    const { stderr } = run(process.execPath, [script, "?"]);
    await stderr.next(
      strips ? /Invalid argument$/ : /ERR_UNKNOWN_FILE_EXTENSION/,
    );
  }
});

test("a server bound to 0.0.0.0 is reached at an address", async () => {
  const endpoint = await tcp();
  const everywhere = endpoint.replace("127.0.0.1", "0.0.0.0");
  await serve("eventloop/server.ts", everywhere);
  assert.equal(await start("eventloop/client.ts", endpoint).status(), 0);
});
