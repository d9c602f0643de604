import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, scripts, start } from "../tools/script.ts";

test("a script starts as the README starts it", async (t) => {
  for (const script of scripts) {
    try {
      accessSync(join(root, script), constants.X_OK);
    } catch {
      assert.fail(
        `${script} lacks its run bit. Restore it: chmod +x ${script}`,
      );
    }
  }
  const { stderr, status } = start("eventloop/client.ts", ["?"], t.signal);
  await status();
  const [line = "nothing"] = stderr.all;
  assert.match(
    line,
    /^Cannot connect to \?/,
    `eventloop/client.ts ? printed\n${stderr.all.join("\n") || "nothing"}`,
  );
});
