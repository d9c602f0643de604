import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ipc, tcp } from "../tools/endpoints.ts";
import { noSignals, scripts, start } from "../tools/script.ts";

describe("Ctrl-C", { concurrency: 4, skip: noSignals }, () => {
  for (const script of scripts) {
    test(`ends ${script}, which prints nothing more`, async (t) => {
      const { child, stdout, stderr, status } = start(
        script,
        [await tcp(), ipc()],
        t.signal,
      );
      // A server prints this when it is listening, a client while it waits.
      await (script.endsWith("server.ts") ? stdout : stderr).next(/./);
      child.kill("SIGINT");
      assert.equal(await status(), "SIGINT");
      assert.equal(stdout.all.length + stderr.all.length, 1);
    });
  }
});
