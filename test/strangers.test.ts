import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { Dealer, Pair } from "zeromq";
import { freePort, ipc } from "../tools/endpoints.ts";
import { patience, servers, start } from "../tools/script.ts";

const PEERS = 100;

/** What comes before a ZMTP 3 connection's first message. */
const greeting = Buffer.concat([
  Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]),
  Buffer.from("NULL".padEnd(52, "\0")),
]);

/** Sends bytes to a port, and goes when the peer has answered or hung up. */
async function sendBytes(port: number, bytes: Buffer | string) {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}); // The peer may well hang up on us.
  await new Promise((resolve) => {
    socket.on("connect", () => socket.write(bytes));
    // libzmq greets whoever connects, so this comes at once.
    socket.on("data", resolve);
    socket.on("close", resolve);
  });
  socket.destroy();
}

describe("Strangers", { concurrency: 4, timeout: 60_000 }, () => {
  for (const script of servers) {
    test(`do not end ${script}`, async (t) => {
      const port = await freePort();
      const endpoint = `tcp://127.0.0.1:${port}`;
      const server = start(script, [endpoint, ipc()], t.signal);
      await server.stdout.next(/./);

      for (let n = 0; n < PEERS; n++) {
        await sendBytes(port, randomBytes(n * 10));
        await sendBytes(port, "GET / HTTP/1.1\r\nHost: example\r\n\r\n");
        // ZMTP 1.0: a length, flags, and no delimiter frame.
        await sendBytes(port, Buffer.from([1, 0, 3, 0, 0x68, 0x69]));
        await sendBytes(port, Buffer.concat([greeting, randomBytes(n)]));
      }

      // No server here has a socket that may talk to a Pair.
      const pair = new Pair({ linger: 0 });
      t.after(() => pair.close());
      const refused = new Promise((resolve) =>
        pair.events.on("disconnect", resolve),
      );
      pair.connect(endpoint);
      await refused;

      const [example] = script.split("/");
      const client = example === "waynes-world" ? "camera1.ts" : "client.ts";
      const friend = start(`${example}/${client}`, [endpoint], t.signal);
      await friend.stdout.next(/./);
      assert.deepEqual(server.stderr.all, []);
      assert.equal(server.child.exitCode, null);
    });
  }

  test("that send no delimiter frame do not stop the echo", async (t) => {
    const endpoint = `tcp://127.0.0.1:${await freePort()}`;
    const server = start("eventloop/server.ts", [endpoint], t.signal);
    await server.stdout.next(/./);
    const dealer = new Dealer({ linger: 0, receiveTimeout: patience });
    t.after(() => dealer.close());
    dealer.connect(endpoint);
    for (let n = 0; n < PEERS; n++) {
      await dealer.send("no delimiter");
      await dealer.send(["nor", "here"]);
      await dealer.send(["", `echo ${n}`]);
      assert.equal(String(await dealer.receive()), `,echo ${n}`);
    }
    assert.deepEqual(server.stderr.all, []);
  });
});
