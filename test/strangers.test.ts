import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { afterEach, test } from "node:test";
import { Dealer, Pair } from "zeromq";
import { freePort, ipc } from "../tools/endpoints.ts";
import { end, patience, serve, servers, start } from "../tools/script.ts";
import { event, open } from "../tools/sockets.ts";

afterEach(end);

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

for (const script of servers) {
  test(`strangers do not end ${script}`, async () => {
    const port = await freePort();
    const endpoint = `tcp://127.0.0.1:${port}`;
    const server = await serve(script, endpoint, ipc());
    for (let n = 0; n < 100; n++) {
      await sendBytes(port, randomBytes(n * 10));
      await sendBytes(port, "GET / HTTP/1.1\r\nHost: example\r\n\r\n");
      // ZMTP 1.0: a length, flags, and no delimiter frame.
      await sendBytes(port, Buffer.from([1, 0, 3, 0, 0x68, 0x69]));
      await sendBytes(port, Buffer.concat([greeting, randomBytes(n)]));
    }

    // No server here has a socket that may talk to a Pair.
    const pair = open(new Pair());
    const refused = event(pair, "disconnect");
    pair.connect(endpoint);
    await refused;
    pair.close();

    if (script.startsWith("eventloop")) {
      // After a message without a delimiter whose sender has gone, libzmq 4.3.5
      // drops the next reply, whoever it is for: hence two requests.
      const dealer = open(new Dealer({ receiveTimeout: patience }));
      dealer.connect(endpoint);
      await dealer.send(["", "first"]);
      await dealer.send(["", "second"]);
      while (String(await dealer.receive()) !== ",second");
    }

    const [example] = script.split("/");
    const client = example === "waynes-world" ? "camera1.ts" : "client.ts";
    const friend = start(`${example}/${client}`, endpoint);
    await friend.stdout.next(/./);
    assert.deepEqual(server.stderr.all, []);
    assert.ok(server.runs());
  });
}
