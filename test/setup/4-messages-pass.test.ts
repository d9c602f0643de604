import assert from "node:assert/strict";
import { test } from "node:test";
import { Pair } from "zeromq";
import { hasIpc, ipc, otherFolder, tcp } from "../../tools/endpoints.ts";

/**
 * Sends a message from one socket to another.
 * @param remedy what to do where it does not arrive
 * @throws names the endpoint and the system's reason
 */
async function pass(endpoint: string, remedy: string) {
  const one = new Pair({ receiveTimeout: 5000 });
  const other = new Pair({ sendTimeout: 5000 });
  try {
    await one.bind(endpoint);
    other.connect(endpoint);
    await other.send("hello");
    assert.equal(String(await one.receive()), "hello");
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    assert.fail(`No message passes at ${endpoint}: ${reason}.\n${remedy}`);
  } finally {
    one.close();
    other.close();
  }
}

test("within one process", () =>
  pass("inproc://setup", "Reinstall zeromq: npm ci"));

test("over TCP on 127.0.0.1", async () =>
  pass(await tcp(), "Is the loopback interface up, and no firewall on it?"));

test(
  "over IPC in the temporary folder",
  { skip: !(await hasIpc()) && "this system has no IPC" },
  () =>
    pass(
      ipc(),
      `If the path is too long, or not writable: ${otherFolder}.`,
    ),
);
