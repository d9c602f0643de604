import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ipc, tcp } from "../tools/endpoints.ts";
import { noSignals, scripts, start } from "../tools/script.ts";

describe("Ctrl-C", { concurrency: 4, skip: noSignals }, () => {
  for (const script of scripts) {
    test(`ends ${script}, without a word`, async (t) => {
      const { child, stdout, stderr, status } = start(
        script,
        [await tcp(), ipc()],
        t.signal,
      );
      // A server prints this when it is listening, a client while it waits.
      await (script.endsWith("server.ts") ? stdout : stderr).next(/./);
      child.kill("SIGINT");
      assert.equal(await status(), "SIGINT");
      for (const line of [...stdout.all, ...stderr.all]) {
        assert.match(
          line,
          /^(Camera .\?|Hello world\?|The event .*|No server .*)$/,
        );
      }
    });
  }
});
