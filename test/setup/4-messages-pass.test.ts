import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { capability, Pair } from "zeromq";
import { ipc, tcp } from "../tools/endpoints.ts";

/**
 * Sends a message from one socket to another.
 * @param remedy what to do where it does not arrive
 * @throws names the endpoint and the system's reason
 */
async function pass(endpoint: string, remedy: string) {
  const one = new Pair({ receiveTimeout: 5000, linger: 0 });
  const other = new Pair({ sendTimeout: 5000, linger: 0 });
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

test("within one process", async () => {
  await pass("inproc://layer-4", "Reinstall zeromq: npm ci");
});

test("over TCP on 127.0.0.1", async () => {
  await pass(
    await tcp(),
    "Is the loopback interface up, and no firewall on it?",
  );
});

test(
  "over IPC in the temporary folder",
  {
    skip: !capability.ipc && "zeromq has no IPC on this system",
  },
  async () => {
    await pass(
      ipc(),
      `Does ${tmpdir()} exist, may you write there, and is its path short?\n` +
        "If not, set TMPDIR to a folder like /tmp.",
    );
  },
);
