// What the pages show is what happens, and what they name is there.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { startProgram, startServer } from "../../tools/child.ts";
import { freePort } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { defaultsOf, examples, noIpc, scripts, servers, startCommand } from "../support.ts";
import { all, knowsFirstLines, outsideAddress } from "./support.ts";

const README = "README.md";
const CONTRIBUTING = "docs/CONTRIBUTING.md";
const readme = read(README);

/** The section on an example, whose heading begins like the folder: "Wayne's World". */
function section(example: string) {
  const letters = (text: string) => text.toLowerCase().replace(/[^a-z]/g, "");
  const found = readme.split(/^##+ /m).find((part) => letters(part).startsWith(letters(example)));
  assert.ok(found, `${README} has no section whose heading begins like ${example}`);
  return found;
}

/** Starts what one types in a folder: `./server.ts`. */
function startTyped(folder: string, typed: string) {
  const [file, ...args] = typed.split(" ");
  const cwd = join(root, folder);
  if (knowsFirstLines) return startProgram(file, args, { cwd });
  return startProgram(process.execPath, ["--import", "tsx", file, ...args], { cwd });
}

test("npm start prints what its picture shows", { skip: noIpc }, async () => {
  const { stdout, stderr } = startCommand("start");
  const shown = all(/>(\w+\.ts .*?)</g, read("docs/npm-start.svg"));
  for (const line of shown.slice(0, 2)) await stdout.next(line);
  for (const line of new Set(shown)) {
    while (!stdout.all.includes(line)) await stdout.next(/./);
  }
  assert.deepEqual(stderr.all, []);
});

for (const example of examples) {
  // A prompt is a terminal. They use the endpoints that the scripts have by
  // default, so these tests are all in this file, where they take turns.
  const skip = example === "waynes-world" && noIpc;
  test(`the terminals of ${example} are what the scripts print`, { skip }, async () => {
    const [block] = all(/^```console\n(.*?)^```/gms, section(example));
    const terminals = [];
    for (const terminal of block.split(/^(?=[\w-]+\$ )/m)) {
      const [prompt, ...lines] = terminal.trimEnd().split("\n");
      const [folder, command] = prompt.split("$ ");
      const program = startTyped(folder, command);
      // The next terminal's turn comes when there is something to see here.
      const alone = lines.includes("tick") ? 2 : 1;
      for (const line of lines.slice(0, alone)) await program.stdout.next(line);
      // The client ends by itself, the others on Ctrl-C.
      const status = prompt === "eventloop$ ./client.ts" ? 0 : "SIGINT";
      terminals.push({ ...program, alone, lines, status });
    }
    for (const { stdout, stderr, alone, lines } of terminals) {
      for (const line of lines.slice(alone)) await stdout.next(line);
      // The event loop's own line comes again and again: the first one counts.
      const tick = stdout.all.indexOf("tick");
      const shown = stdout.all.filter((line, n) => line !== "tick" || n === tick);
      assert.deepEqual(shown.slice(0, lines.length), lines);
      assert.deepEqual(stderr.all, []);
    }
    // By default, no other machine reaches a server.
    const [port] = defaultsOf(`${example}/server.ts`);
    if (outsideAddress) {
      await assert.rejects(once(net.connect(Number(port), outsideAddress), "connect"));
    }

    // On Windows, there is no such signal: a program is ended at once.
    for (const { child, exitStatus, stderr, status } of terminals.reverse()) {
      if (status === "SIGINT") child.kill(status);
      assert.equal(await exitStatus(), status);
      assert.deepEqual(stderr.all, []);
    }
  });

  test(`the endpoints of ${example} are those of the diagram`, () => {
    const [diagram] = all(/^```mermaid\n(.*?)^```/gms, section(example));
    const files = scripts.filter((script) => script.startsWith(example));
    for (const script of files) assert.ok(defaultsOf(script).length > 0, script);
    const shown = new Set(all(/(\d{4}|[\w-]+\.ipc)/g, diagram));
    assert.deepEqual(new Set(files.flatMap(defaultsOf)), shown);
  });

  test(`each row of ${example}'s table has a test of its name, and each such test a row`, () => {
    const rows = all(/^\| (?!Do this|---)(.*?) \|/gm, section(example));
    const titles = all(
      RegExp(`(["'])${example}: (.*?)\\1[,;]`, "g"),
      read(`test/examples/${example}.test.ts`),
      2,
    );
    assert.deepEqual(titles.sort(), rows.sort());
  });

  test(`the lines of ${example} are those of the script`, () => {
    const quote = /^The lesson, in \[[^\]]*\]\(([^)]*)\):\n\n```ts\n(.*?)^```/ms;
    const [, script, code] = quote.exec(section(example)) ?? [];
    assert.ok(read(script).endsWith(code), `${script} does not end in\n${code}`);
  });
}

const noOutside = !outsideAddress && "this machine has no other address";
for (const script of servers) {
  test(`${script} is reached by other machines at 0.0.0.0`, { skip: noOutside }, async () => {
    const port = await freePort();
    await startServer(script, `tcp://0.0.0.0:${port}`, "tcp://*:*");
    const peer = net.connect(port, outsideAddress);
    await once(peer, "connect");
    peer.destroy();
  });
}

test("npm run doctor prints what the page for contributors shows", { skip: noIpc }, async () => {
  const [block] = all(/^```console\n(Layer 1.*?)\n```/gms, read(CONTRIBUTING));
  const { stdout, exitStatus } = startCommand("doctor");
  assert.equal(await exitStatus(), 0, stdout.all.join("\n"));
  const shape = (lines: string) =>
    lines
      .replaceAll(tmpdir(), "/tmp")
      .replaceAll("\\", "/")
      .replace(/\d+\.\d+\.\d+/g, "VERSION")
      .replace(/on \w+ \w+$/m, "on SYSTEM");
  assert.equal(shape(stdout.all.join("\n")), shape(block));
});

test("the oldest Node is that of package.json", () => {
  const [oldest] = all(/^You need Node ([\d.]+) or newer/gm, readme);
  assert.equal(JSON.parse(read("package.json")).engines.node, `>=${oldest}`);
});

const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" });
const pages = [README, ...docs.map((path) => `docs/${path.replaceAll("\\", "/")}`)].filter((path) =>
  path.endsWith(".md"),
);

/** What a link may have after its #: GitHub makes anchors of headings. */
const anchorsOf = (text: string) => [
  ...all(/<a id="([^"]+)">/g, text),
  ...all(/^#+ (.*)$/gm, text).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  ),
];

for (const page of pages) {
  test(`the links in ${page} lead somewhere, and those at its top to each other page`, () => {
    const text = read(page);
    for (const link of all(/\]\((?!https:)(.*?)\)/g, text)) {
      const [path, anchor] = link.split("#");
      const target = path ? join(dirname(page), path) : page;
      assert.ok(existsSync(join(root, target)), link);
      if (anchor) assert.ok(anchorsOf(read(target)).includes(anchor), link);
    }
    const top = all(/\]\((.*?)\)/g, text.split("\n\n")[1]).map((path) => join(dirname(page), path));
    assert.deepEqual(
      top.map((path) => path.replaceAll("\\", "/")).sort(),
      pages.filter((path) => path !== page).sort(),
    );
  });
}
