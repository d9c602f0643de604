import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { root, run, scripts, start } from "../../tools/script.ts";
import { test } from "../../tools/test.ts";

const [script] = scripts;
/** What a script prints when it gets a malformed endpoint. */
const started = /Invalid argument/;

test("with node --import tsx", async () => {
  await start(script, "?").stderr.next(started);
});

test("with its first line", async (t) => {
  if (process.platform === "win32") return t.skip("Windows does not know it");
  for (const path of scripts) {
    try {
      accessSync(join(root, path), constants.X_OK);
    } catch {
      assert.fail(`${path} lacks its run bit. Restore it: chmod +x ${path}`);
    }
  }
  const { status, stderr } = run(`./${script}`, ["?"]);
  await status();
  if (stderr.all.some((line) => started.test(line))) return;
  t.skip(`${stderr.all[0]}. Start the scripts with node --import tsx server.ts`);
});
