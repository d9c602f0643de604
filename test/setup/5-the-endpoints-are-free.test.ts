import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const remedy =
  "An example may still be running in another terminal: " +
  "end it there with Ctrl-C.";

/** @returns whether somebody answers at a port of 127.0.0.1, or at a path */
async function taken(where: number | string) {
  const socket =
    typeof where === "number" ? connect(where, "127.0.0.1") : connect(where);
  const answered = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return answered;
}

for (const port of [5566, 5567, 5568]) {
  test(`TCP port ${port} is free`, async () => {
    assert.ok(!(await taken(port)), `Port ${port} is taken. ${remedy}`);
  });
}

test("the IPC path is free", async () => {
  const path = join(tmpdir(), "waynes-world.ipc");
  assert.ok(!(await taken(path)), `${path} is taken. ${remedy}`);
});
