import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import net from "node:net";
import { dirname } from "node:path";
import { curveKeyPair, Dealer, Pair } from "zeromq";
import { read, run, scripts, serve, servers, start } from "../tools/script.ts";
import { copy, freePort } from "../tools/temporary.ts";
import { connect, event, recipe, test } from "../tools/test.ts";

const signature = "\xff\0\0\0\0\0\0\0\0\x7f\x03\0"; // and version
/** What comes before a ZMTP 3 connection's first message. */
const greeting = Buffer.from(signature + "NULL".padEnd(52, "\0"), "latin1");

/** Sends bytes to a port, and goes when the peer has answered or hung up. */
function sendBytes(port: number, bytes: Buffer | string) {
  return new Promise((gone) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
    // libzmq greets whoever connects, so this comes at once.
    socket.on("data", () => socket.destroy());
    socket.on("error", () => {}); // The peer may well hang up on us.
    socket.on("close", gone);
  });
}

for (const script of servers) {
  test(`strangers do not end ${script}`, async () => {
    const port = await freePort();
    const endpoint = `tcp://127.0.0.1:${port}`;
    // Of Wayne's World, the second endpoint is of no interest here.
    const server = await serve(script, endpoint, "tcp://127.0.0.1:*");
    for (let n = 0; n < 100; n++) {
      await sendBytes(port, randomBytes(n * 10));
      await sendBytes(port, "GET / HTTP/1.1\r\nHost: example\r\n\r\n");
      await sendBytes(port, "\x01\0\x03\0hi"); // ZMTP 1.0, no delimiter frame
      await sendBytes(port, Buffer.concat([greeting, randomBytes(n)]));
    }
    assert.ok(server.runs(), server.stderr.all.join("\n"));

    // No server here has a socket that may talk to a Pair.
    const pair = new Pair();
    const refused = event(pair, "disconnect");
    connect(pair, endpoint);
    await refused;
    pair.close();

    if (script.startsWith("eventloop")) {
      const dealer = connect(new Dealer(), endpoint);
      await dealer.send("no delimiter");
      await dealer.send(["nor", "here"]);
      // After such a message from somebody who has gone, libzmq 4.3.5 drops the
      // next reply, whoever it is for: hence two requests.
      await dealer.send(["", "first"]);
      await dealer.send(["", "second"]);
      while (String(await dealer.receive()) !== ",second");
    }

    const [friend] = scripts.filter((name) => dirname(name) === dirname(script));
    await start(friend, endpoint).stdout.next(/./);
    assert.deepEqual(server.stderr.all, []);
    assert.ok(server.runs());
  });
}

test("strangers are kept out, and what friends say is not to be seen", async () => {
  const [door, key] = recipe("Keep strangers out");
  const startWith = (socket: string, script: string, endpoint: string, env = {}) => {
    const path = copy(read(script).replace(/^const socket = .*\n/m, () => socket));
    return run(process.execPath, ["--import", "tsx", path, endpoint], { env });
  };
  const [server, friend, other, stranger] = [1, 2, 3, 4].map(curveKeyPair);
  const port = await freePort();
  const served = startWith(door, "eventloop/server.ts", `tcp://127.0.0.1:${port}`, {
    SECRET_KEY: server.secretKey,
    FRIENDS: `${other.publicKey} ${friend.publicKey}`,
  });
  await served.stdout.next(/./);

  // All that passes is read on the way.
  let seen = "";
  const wire = await freePort();
  net.createServer((near) => {
    const far = net.connect(port, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const end of [near, far]) {
      end.on("error", () => {});
      end.on("data", (bytes) => (seen += bytes.toString("latin1")));
    }
  }).listen(wire, "127.0.0.1").unref();
  const endpoint = `tcp://127.0.0.1:${wire}`;

  const as = (pair: typeof friend, serverKey = server.publicKey) =>
    startWith(key, "eventloop/client.ts", endpoint, {
      SERVER_KEY: serverKey,
      PUBLIC_KEY: pair.publicKey,
      SECRET_KEY: pair.secretKey,
    });
  const plain = start("eventloop/client.ts", endpoint);
  const strangers = [plain, as(stranger), as(friend, stranger.publicKey)];
  for (const pair of [friend, other]) {
    const client = as(pair);
    assert.equal(await client.status(), 0);
    assert.equal(client.stdout.all.length, 5);
  }
  await served.stdout.next(/^MSG/, 10);
  assert.equal(served.stdout.all.length, 11);
  for (const { runs, stdout } of strangers) {
    assert.ok(runs());
    assert.deepEqual(stdout.all, []);
  }
  assert.match(seen, /CURVE/);
  assert.doesNotMatch(seen, /hello/);
});
