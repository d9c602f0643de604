import assert from "node:assert/strict";
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { tcp } from "../tools/endpoints.ts";
import { examples, root, run, scripts, start } from "../tools/script.ts";

describe("Copy it into your project", { concurrency: 4 }, () => {
  for (const example of examples) {
    test(`${example} needs nothing outside its folder`, async (t) => {
      const project = mkdtempSync(join(tmpdir(), "zeromq-examples-"));
      t.after(() => rmSync(project, { recursive: true }));
      const modules = join(project, "node_modules");
      symlinkSync(join(root, "node_modules"), modules, "junction");
      writeFileSync(join(project, "package.json"), '{ "type": "module" }');
      cpSync(join(root, example), join(project, example), { recursive: true });
      for (const script of scripts.filter((path) => path.startsWith(example))) {
        const lines = readFileSync(join(root, script), "utf8");
        for (const [, from = ""] of lines.matchAll(/^import .* "(.*)";$/gm)) {
          assert.match(from, /^(node:\w+(\/\w+)*|zeromq)$/);
        }
      }
      const args = ["--import", "tsx", `${example}/server.ts`, "?"];
      const copy = run(process.execPath, args, t.signal, project);
      await copy.stderr.next(/^Cannot bind \? /);
    });
  }

  test("Node 22.18 and later run the scripts without tsx", async (t) => {
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    const strips = major > 22 || (major === 22 && minor >= 18);
    for (const script of scripts) {
      const { stderr } = run(process.execPath, [script, "?"], t.signal);
      await stderr.next(
        strips ? /^Cannot (bind|connect to) \? / : /ERR_UNKNOWN_FILE_EXTENSION/,
      );
    }
  });

  test("a server bound to 0.0.0.0 is reached at an address", async (t) => {
    const endpoint = await tcp();
    const everywhere = endpoint.replace("127.0.0.1", "0.0.0.0");
    await start("eventloop/server.ts", [everywhere], t.signal).stdout.next(/./);
    const client = start("eventloop/client.ts", [endpoint], t.signal);
    assert.equal(await client.status(), 0);
  });
});
