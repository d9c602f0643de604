import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { Dealer, Router } from "zeromq";
import { ipc, tcp } from "../tools/endpoints.ts";
import { noSignals, patience, start } from "../tools/script.ts";

/** Fails where a server or a client of an endpoint is still running. */
async function assertNobodyIsLeft(t: TestContext, endpoint: string) {
  // Clients that were left behind try again every 0.1 s or two. So they are
  // connected before this one, which tries, in vain, before there is a server.
  const dealer = new Dealer({ linger: 0, reconnectInterval: 1000 });
  const refused = new Promise((resolve) =>
    dealer.events.on("connect:retry", resolve),
  );
  dealer.connect(endpoint);
  await refused;
  await dealer.send("hello");

  const router = new Router({ linger: 0, receiveTimeout: patience });
  t.after(() => [dealer, router].forEach((socket) => socket.close()));
  let peers = 0;
  router.events.on("accept", () => peers++);
  await router.bind(endpoint);
  await router.receive();
  assert.equal(peers, 1, "a client is still running");
}

describe("npm start", { concurrency: 4, skip: noSignals }, () => {
  for (const { example, lines } of [
    {
      example: "waynes-world",
      lines: [
        "server.ts   Camera 1?",
        "server.ts   Camera 2?",
        "camera1.ts  MSG 1:  'Camera 1'",
        "camera2.ts  MSG 2:  'Camera 2'",
      ],
    },
    {
      example: "passing-json",
      lines: [
        "server.ts   Hello world?",
        "client.ts 1 200 :: hello world",
        "client.ts 2 200 :: hello world",
      ],
    },
    {
      example: "eventloop",
      lines: [
        "server.ts   The event loop is running.",
        ...[1, 2, 3, 4, 5].flatMap((n) => [
          `server.ts   MSG:  '{"n":${n},"text":"hello"}'`,
          `client.ts   MSG: {"n":${n},"text":"hello"}`,
        ]),
      ],
    },
  ]) {
    test(`shows ${example} until Ctrl-C`, async (t) => {
      const endpoints = [await tcp(), ipc()];
      const { child, stdout, stderr, status } = start(
        "tools/start.ts",
        [example, ...endpoints],
        t.signal,
      );
      const missing = () => lines.filter((line) => !stdout.all.includes(line));
      while (missing().length > 0) await stdout.next(/./);
      if (example === "eventloop") await stdout.next(/^client.*"n":1,/);
      child.kill("SIGINT");
      assert.equal(await status(), 130);
      assert.deepEqual(new Set(stdout.all), new Set(lines));
      assert.deepEqual(stderr.all, []);
      for (const endpoint of endpoints) await assertNobodyIsLeft(t, endpoint);
    });
  }

  test("shows Wayne's World unless told otherwise, and lists the others", async (t) => {
    const { stdout, stderr, status } = start(
      "tools/start.ts",
      ["wayne"],
      t.signal,
    );
    assert.equal(await status(), 1);
    assert.deepEqual(stderr.all, [
      "No example wayne; there are waynes-world, passing-json, eventloop.",
    ]);
    assert.deepEqual(stdout.all, []);
  });

  test("ends all when the terminal is closed", async (t) => {
    const endpoint = await tcp();
    const { child, stdout, status } = start(
      "tools/start.ts",
      ["passing-json", endpoint],
      t.signal,
    );
    await stdout.next(/client/);
    child.kill("SIGHUP");
    assert.equal(await status(), 129);
    await assertNobodyIsLeft(t, endpoint);
  });

  test("ends all when nobody reads what it prints", async (t) => {
    const endpoint = await tcp();
    const { child, stdout, stderr, status } = start(
      "tools/start.ts",
      ["passing-json", endpoint],
      t.signal,
    );
    await stdout.next(/client/);
    child.stdout.destroy();
    assert.equal(await status(), 0);
    assert.deepEqual(stderr.all, []);
    await assertNobodyIsLeft(t, endpoint);
  });

  test("ends all with the status of a script that dies", async (t) => {
    // A server can bind to all interfaces, but no client can connect to them.
    const endpoint = (await tcp()).replace("127.0.0.1", "*");
    const { stdout, status } = start(
      "tools/start.ts",
      ["passing-json", endpoint],
      t.signal,
    );
    await stdout.next(/^client.ts . Cannot connect/);
    assert.equal(await status(), 1);
    await assertNobodyIsLeft(t, endpoint.replace("*", "127.0.0.1"));
  });

  test("says so when the server cannot start", async (t) => {
    const { stdout, stderr, status } = start(
      "tools/start.ts",
      ["eventloop", "nowhere"],
      t.signal,
    );
    assert.equal(await status(), 1);
    assert.match(stdout.all.join("\n"), /^server.ts   Cannot bind nowhere .*$/);
    assert.deepEqual(stderr.all, []);
  });
});
