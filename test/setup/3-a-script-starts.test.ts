import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, run, type Script, scripts, start } from "../../tools/script.ts";

/** What a client prints of the malformed endpoint `?`. */
const started = /Invalid argument/;
const [script] = scripts;

async function printed({ stdout, stderr, ended }: Script) {
  await ended;
  return [...stdout.all, ...stderr.all].join("\n");
}

test("with node --import tsx", async () => {
  assert.match(await printed(start(script, "?")), started);
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
  const output = await printed(run(`./${script}`, ["?"]));
  if (started.test(output)) return;
  const [reason] = output.split("\n");
  t.skip(`${reason}. Start the scripts with node --import tsx server.ts`);
});
