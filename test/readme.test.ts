// What the README shows is what happens.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { end, root, run, type Script, serve } from "../tools/script.ts";

afterEach(end);

const read = (file: string) => readFileSync(join(root, file), "utf8");
const readme = read("README.md");
const { name, version, scripts } = JSON.parse(read("package.json"));

/** A command that the README shows in a terminal, and what it prints there. */
type Command = { folder: string; words: string[]; lines: string[] };

/** @returns the commands that a `console` block shows, blank lines left out */
function parse(block: string): Command[] {
  const commands: Command[] = [];
  for (const line of block.split("\n").filter(Boolean)) {
    const [, folder, command] = /^([\w-]+)\$ (.*)$/.exec(line) ?? [];
    if (command) {
      commands.push({ folder, words: command.split(" "), lines: [] });
    } else {
      commands[commands.length - 1].lines.push(line);
    }
  }
  return commands;
}

/** Starts such a command in its folder: npm start, or a script. */
function startCommand({ folder, words }: Command): Script {
  if (folder !== name) {
    const [script, ...args] = words;
    const node = ["--import", "tsx", script, ...args];
    return run(process.execPath, node, { cwd: join(root, folder) });
  }
  assert.deepEqual(words, ["npm", "start"]);
  const [, ...node] = scripts.start.split(" ");
  return run(process.execPath, node);
}

/** Fails unless a script prints the lines that the README shows. */
async function compare({ words, lines }: Command, script: Script) {
  const { runs, status, stdout, stderr } = script;
  const expected = lines.filter((line) => !line.startsWith("> "));
  // Of several scripts in one terminal, each is sure of its own order only.
  const speakers =
    words[0] === "npm"
      ? new Set(expected.map((line) => line.split(" ")[0]))
      : [""];
  for (const speaker of speakers) {
    const of = (all: string[]) =>
      all.filter((line) => line.startsWith(speaker));
    const shown = of(expected);
    // What a script says on stderr comes before its messages.
    const printed = () => of([...stderr.all, ...stdout.all]);
    while (printed().length < shown.length) await stdout.next(/./);
    // Of a script that has ended, all must be shown.
    const last = runs() ? shown.length : undefined;
    if (!last) await status();
    assert.deepEqual(printed().slice(0, last), shown);
  }
}

// The blocks between two headings, or within <details>, are one scene. They
// use the endpoints that the scripts have by default, so they run in turns.
const scenes = readme
  .split(/^(?:#+ .*|<\/?details>.*)$/m)
  .map((part) =>
    [...part.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block]) =>
      parse(block),
    ),
  )
  .filter((commands) => commands.length > 0);

for (const commands of scenes) {
  const title = commands.map(({ folder, words }) =>
    [`${folder}$`, ...words].join(" "),
  );
  test(title.join(", "), async () => {
    const running: [Command, Script][] = [];
    for (const command of commands) {
      const script = startCommand(command);
      running.push([command, script]);
      // The next terminal's turn comes when there is something to see here.
      await Promise.race([
        script.stdout.next(/./).catch(() => {}),
        script.stderr.next(/./).catch(() => {}),
      ]);
    }
    for (const [command, script] of running) await compare(command, script);
  });
}

const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal);

// These, too, use the endpoints that the scripts have by default.
for (const [script, port] of [
  ["waynes-world/server.ts", 5566],
  ["passing-json/server.ts", 5567],
  ["eventloop/server.ts", 5568],
] as const) {
  test(`${script} is reached from this machine only`, async (t) => {
    if (!outside) return t.skip("this machine has no other address");
    await serve(script);
    const inside = connect(port, "127.0.0.1");
    await once(inside, "connect");
    inside.destroy();
    await assert.rejects(once(connect(port, outside.address), "connect"));
  });
}

test("npm start is announced as npm does it", () => {
  const [, banner] = /\n\n(> .*\n> .*)\n\n/.exec(readme) ?? [];
  assert.equal(banner, `> ${name}@${version} start\n> ${scripts.start}`);
});

test("the lines of code are those of the script", () => {
  const quote = /, in \[[^\]]*\]\(([^)]*)\); [^`]*```ts\n(.*?)^```/gms;
  const quotes = [...readme.matchAll(quote)];
  assert.equal(quotes.length, 3);
  for (const [, script, code] of quotes) {
    assert.ok(read(script).includes(code), `${script} has no lines\n${code}`);
  }
});

test("each row of a table has a test of its name", () => {
  const titles = readdirSync(join(root, "test"))
    .filter((file) => file.endsWith(".test.ts"))
    .flatMap((file) => [
      ...read(`test/${file}`).matchAll(/^test\(\s*("(?:[^"\\]|\\.)*")/gm),
    ])
    .map(([, title]): unknown => JSON.parse(title));
  const rows = [...readme.matchAll(/^\| (.*?) \|/gm)]
    .map(([, row]) => row)
    .filter((row) => !/^(-+|what you see)$/.test(row));
  assert.ok(rows.length > 30);
  for (const row of rows) {
    assert.equal(titles.filter((title) => title === row).length, 1, row);
  }
});

test("links within the repository lead somewhere", () => {
  const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(
    ([, heading]) =>
      `#${heading
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .replaceAll(" ", "-")}`,
  );
  for (const [, link] of readme.matchAll(/\]\((?!https:)(.*?)\)/g)) {
    assert.ok(
      link.startsWith("#")
        ? anchors.includes(link)
        : existsSync(join(root, link)),
      link,
    );
  }
});
