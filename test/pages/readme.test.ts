// What the README shows is what happens.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { run, serve } from "../../tools/child.ts";
import { defaultsOf, examples, read, root, scripts, servers } from "../../tools/repository.ts";
import { noIpc, outsideAddress } from "../support.ts";

const readme = read("README.md");
const { engines, scripts: commands } = JSON.parse(read("package.json"));

/** The section on an example, whose heading begins with the folder's name. */
function section(example: string) {
  const letters = (text: string) => text.toLowerCase().replace(/[^a-z]/g, "");
  const text = readme.split(/^### /m).find((part) => letters(part).startsWith(letters(example)));
  assert.ok(text, `README.md has no section on ${example}`);
  return text.split(/^#/m)[0];
}

// These use the endpoints that the scripts have by default, so they are run by
// turns, in this file. A prompt is a terminal.
for (const example of examples) {
  const [, block] = /^```console\n(.*?)^```/ms.exec(section(example)) ?? [];
  const terminals = block.split(/^(?=[\w-]+\$ )/m);
  const prompts = terminals.map((terminal) => terminal.split("\n")[0]);
  const skip = example === "waynes-world" && noIpc;
  test(`terminals of ${example}: ${prompts.join(", ")}`, { skip }, async () => {
    const programs = [];
    for (const terminal of terminals) {
      const [prompt, ...lines] = terminal.trimEnd().split("\n");
      const [folder, command] = prompt.split("$ ");
      const node = ["--import", "tsx", command];
      const program = run(process.execPath, node, { cwd: join(root, folder) });
      programs.push({ ...program, lines });
      // The next terminal's turn comes when there is something to see here.
      await program.stdout.next(lines[0]);
      if (lines.includes("tick")) await program.stdout.next("tick");
    }
    for (const { stdout, stderr, lines } of programs) {
      // The event loop's own line may come before or after a message.
      const told = lines.filter((line) => line !== "tick");
      for (const line of told.slice(1)) await stdout.next(line);
      const shown = stdout.all.filter((line) => line !== "tick");
      assert.deepEqual(shown.slice(0, told.length), told);
      assert.equal(stdout.all.includes("tick"), lines.includes("tick"));
      assert.deepEqual(stderr.all, []);
    }
  });
}

for (const script of servers) {
  const skip = script.startsWith("waynes-world") && noIpc;
  test(`${script} is reached from this machine only`, { skip }, async (t) => {
    if (!outsideAddress) return t.skip("this machine has no other address");
    await serve(script);
    const [port] = defaultsOf(script);
    await assert.rejects(once(net.connect(Number(port), outsideAddress), "connect"));
  });
}

test("npm run doctor prints this on a good machine", { skip: noIpc }, async () => {
  const [, block] = /^```console\n(Layer 1.*?)^```/ms.exec(readme) ?? [];
  const [command, ...args] = commands.doctor.split(" ");
  assert.equal(command, "node");
  const { stdout, exited } = run(process.execPath, args);
  assert.equal(await exited(), 0, stdout.all.join("\n"));
  const shape = (line: string) =>
    line
      .replaceAll(tmpdir(), "/tmp")
      .replaceAll("\\", "/")
      .replace(/\d+\.\d+\.\d+/g, "VERSION")
      .replace(/on \w+ \w+$/, "on SYSTEM");
  assert.deepEqual(stdout.all.map(shape), block.trimEnd().split("\n").map(shape));
});

for (const example of examples) {
  test(`the endpoints of ${example} are those of the diagram`, () => {
    const [diagram] = /^```mermaid\n(.*?)^```/ms.exec(section(example)) ?? [""];
    const shown = new Set(diagram.match(/\d{4}|[\w-]+\.ipc/g));
    const files = scripts.filter((script) => script.startsWith(example));
    for (const script of files) assert.ok(defaultsOf(script).length > 0, script);
    assert.deepEqual(new Set(files.flatMap(defaultsOf)), shown);
  });

  test(`each thing that happens in ${example} has a test of its name`, () => {
    const rows = [...section(example).matchAll(/^\| (?!when|---)(.*?) \|/gm)];
    const tests = read(`test/examples/${example}.test.ts`);
    const titles = [...tests.matchAll(/^test\("[\w-]+: (.*?)",/gm)];
    assert.equal(rows.length, 4);
    assert.deepEqual(titles.map(([, name]) => name), rows.map(([, name]) => name));
  });

  test(`the lines of ${example} are those of the script`, () => {
    const quote = /^The lesson, in \[[^\]]*\]\(([^)]*)\):\n\n```ts\n(.*?)^```/ms;
    const [, script, code] = quote.exec(section(example)) ?? [];
    assert.ok(read(script).endsWith(code), `${script} does not end in\n${code}`);
  });
}

test("the oldest Node is that of package.json", () => {
  const [, oldest] = /^You need Node ([\d.]+) or newer/m.exec(readme) ?? [];
  assert.equal(engines.node, `>=${oldest}`);
});
