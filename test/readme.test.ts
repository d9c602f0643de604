import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { examples, root, type Script, start } from "../tools/script.ts";

const read = (file: string) => readFileSync(join(root, file), "utf8");
const readme = read("README.md");

/** A command that the README shows in a terminal, and what it prints there. */
type Command = { folder: string; words: string[]; lines: string[] };

/** @returns the commands that a `console` block shows, blank lines left out */
function parse(block: string): Command[] {
  const commands: Command[] = [];
  for (const line of block.split("\n").filter(Boolean)) {
    const [, folder, command] = /^([\w-]+)\$ (.*)$/.exec(line) ?? [];
    if (folder !== undefined && command !== undefined) {
      commands.push({ folder, words: command.split(" "), lines: [] });
    } else {
      commands.at(-1)?.lines.push(line);
    }
  }
  return commands;
}

/** Starts such a command in its folder. */
function startCommand({ folder, words }: Command, signal: AbortSignal): Script {
  const [command = "", ...args] = words;
  if (words.join(" ") === "npm start") {
    return start("tools/start.ts", [], signal);
  }
  assert.match(command, /^\.\//, "a script of the folder");
  return start(join(folder, command), args, signal, join(root, folder));
}

/** Fails unless a script prints the lines that the README shows. */
async function compare({ words, lines }: Command, script: Script) {
  const { child, status, stdout, stderr } = script;
  const expected = lines.filter((line) => !line.startsWith("> "));
  // Of several scripts in one terminal, each is sure of its own order only.
  const speakers =
    words[0] === "npm"
      ? new Set(expected.map((line) => line.split(" ")[0] ?? ""))
      : [""];
  for (const speaker of speakers) {
    const of = (all: string[]) =>
      all.filter((line) => line.startsWith(speaker));
    const shown = of(expected);
    // What a script says on stderr comes before its messages.
    const printed = () => of([...stderr.all, ...stdout.all]);
    while (printed().length < shown.length) await stdout.next(/./);
    // Of a script that has ended, all must be shown.
    const end = child.exitCode === null ? shown.length : undefined;
    if (end === undefined) await status();
    assert.deepEqual(printed().slice(0, end), shown);
  }
}

// The blocks between two headings, or within <details>, are one scene. They
// use the endpoints that the scripts have by default, so they run in turns.
const scenes = readme
  .split(/^(?:#+ .*|<\/?details>.*)$/m)
  .map((part) =>
    [...part.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = ""]) =>
      parse(block),
    ),
  )
  .filter((blocks) => blocks.length > 0);

for (const blocks of scenes) {
  const title = blocks
    .flat()
    .map(({ folder, words }) => [`${folder}$`, ...words].join(" "));
  test(title.join(", "), async (t) => {
    const running: [Command, Script][] = [];
    for (const command of blocks.flat()) {
      const script = startCommand(command, t.signal);
      running.push([command, script]);
      // The next terminal's turn comes when there is something to see here.
      await Promise.race([
        script.stdout.next(/./).catch(() => {}),
        script.stderr.next(/./).catch(() => {}),
      ]);
    }
    for (const [command, script] of running) await compare(command, script);
    for (const [, { child, status }] of running) {
      child.kill("SIGTERM");
      await status();
    }
  });
}

// These, too, use the endpoints that the scripts have by default.
for (const [script, port] of [
  ["waynes-world/server.ts", 5566],
  ["passing-json/server.ts", 5567],
  ["eventloop/server.ts", 5568],
] as const) {
  test(`${script} can be reached from this machine only`, async (t) => {
    const server = start(script, [], t.signal);
    await server.stdout.next(/./);
    const inside = connect(port, "127.0.0.1");
    await once(inside, "connect");
    inside.destroy();
    const outside = connect(port, "127.0.0.2");
    await assert.rejects(once(outside, "connect"));
    server.child.kill();
    await server.status();
  });
}

test("npm start is announced as npm does it", () => {
  const { name, version, scripts } = JSON.parse(read("package.json"));
  assert.ok(
    readme.includes(`\n> ${name}@${version} start\n> ${scripts.start}\n`),
  );
});

test("the lines of code are those of the script", () => {
  const quotes = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)];
  assert.equal(quotes.length, examples.length);
  for (const { 1: code = "", index } of quotes) {
    const before = readme.slice(0, index);
    const [, script = ""] =
      [...before.matchAll(/, in \[.*?\]\((.*?)\)/g)].at(-1) ?? [];
    assert.ok(read(script).includes(code), `${script} has no lines\n${code}`);
  }
});

test("links within the repository lead somewhere", () => {
  const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(
    ([, heading = ""]) =>
      `#${heading
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .replaceAll(" ", "-")}`,
  );
  for (const [, link = ""] of readme.matchAll(/\]\((?!https:)(.*?)\)/g)) {
    assert.ok(
      link.startsWith("#")
        ? anchors.includes(link)
        : existsSync(join(root, link)),
      link,
    );
  }
});

test("the last lines of npm test are those that it prints", () => {
  assert.ok(readme.includes("`Your setup works.`"));
  assert.ok(read("test/run.ts").includes('"Your setup works."'));
});
