import assert from "node:assert/strict";
import { Pair } from "zeromq";
import { ipc, otherFolder, tcp } from "../../tools/temporary.ts";
import { hasIpc, open, test } from "../../tools/test.ts";

/** Sends a message from one socket to another, or says what to do about it. */
async function pass(endpoint: string, remedy: string) {
  const one = open(new Pair({ receiveTimeout: 5000 }));
  const other = open(new Pair({ sendTimeout: 5000 }));
  try {
    await one.bind(endpoint);
    other.connect(endpoint);
    await other.send("hello");
    assert.equal(String(await one.receive()), "hello");
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    assert.fail(`No message passes at ${endpoint}: ${reason}.\n${remedy}`);
  }
}

test("within one process", () =>
  pass("inproc://setup", "Reinstall zeromq: npm ci"));

test("over TCP on 127.0.0.1", async () =>
  pass(await tcp(), "Is the loopback interface up, and no firewall on it?"));

test("over IPC in the temporary folder", async (t) => {
  if (!(await hasIpc())) return t.skip("this system has no IPC");
  await pass(ipc(), `If the path is too long, or not writable: ${otherFolder}.`);
});
