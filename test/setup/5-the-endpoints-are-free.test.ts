import assert from "node:assert/strict";
import { lstatSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pair, Subscriber } from "zeromq";
import { otherFolder } from "../../tools/temporary.ts";
import { event, hasIpc, open, test } from "../../tools/test.ts";

const running =
  "An example may still be running in another terminal: end it there with Ctrl-C.";

/** Binds as the examples do, and returns the system's reason why it cannot. */
async function bind(endpoint: string) {
  const pair = open(new Pair());
  try {
    await pair.bind(endpoint);
    await pair.unbind(endpoint);
  } catch (error) {
    return error instanceof Error ? error.message : error;
  }
}

for (const port of [5566, 5567, 5568]) {
  test(`TCP port ${port}`, async () => {
    const reason = await bind(`tcp://127.0.0.1:${port}`);
    assert.ok(!reason, `TCP port ${port}: ${reason}. ${running}`);
  });
}

test("IPC path waynes-world.ipc", async (t) => {
  if (!(await hasIpc())) return t.skip("this system has no IPC");
  const path = join(tmpdir(), "waynes-world.ipc");
  // Where somebody answers, a bind would take the path away.
  const socket = open(new Subscriber());
  const served = Promise.race([
    event(socket, "connect").then(() => true),
    event(socket, "connect:retry").then(() => false),
  ]);
  socket.connect(`ipc://${path}`);
  const taken = await served;
  socket.close();
  assert.ok(!taken, `${path} is taken. ${running}`);
  const reason = await bind(`ipc://${path}`);
  if (!reason) return;
  const owner = lstatSync(path, { throwIfNoEntry: false })?.uid;
  const whose = owner === (process.getuid?.() ?? owner) ? "yours" : `user ${owner}'s`;
  assert.fail(
    owner === undefined
      ? `${path}: ${reason}. If it is too long: ${otherFolder}.`
      : `${path} is there already, and is ${whose}: ${reason}.\nRemove it, or ${otherFolder}.`,
  );
});
