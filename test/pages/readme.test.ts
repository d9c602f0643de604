// What the README shows is what happens.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import net from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { read, root, run, serve, servers } from "../tools/script.ts";
import { test } from "../tools/test.ts";

const readme = read("README.md");
const { name, version, scripts } = JSON.parse(read("package.json"));

/** Starts a command of the README's; after its first line, returns a wait for the rest. */
async function play([, folder, command, output]: string[]) {
  const lines = output.split("\n").filter((line) => /^(?!> )./.test(line));
  const isNpm = command === "npm start";
  const node = isNpm ? scripts.start.replace("node ", "") : `--import tsx ${command}`;
  const cwd = folder === name ? root : join(root, folder);
  const { stderr, stdout } = run(process.execPath, node.split(" "), { cwd });
  await stdout.next(lines[0]);
  return async () => {
    for (const line of lines.slice(1)) await stdout.next(line);
    const all = [...stderr.all, ...stdout.all];
    // Scripts that share a terminal may print more in between.
    if (!isNpm) assert.deepEqual(all.slice(0, lines.length), lines);
  };
}

// What is between two headings, or within <details>, is one scene. It uses the
// endpoints that the scripts have by default, so the scenes are run in turns.
for (const part of readme.split(/^(?:#+ .*|<\/?details>.*)$/m)) {
  const blocks = [...part.matchAll(/^```console\n(\S+)\$ (.*?)\n(.*?)^```$/gms)];
  if (blocks.length === 0) continue;
  const commands = blocks.map(([, folder, command]) => `${folder}$ ${command}`);
  test(commands.join(", "), async () => {
    // The next terminal's turn comes when there is something to see here.
    const ends = [];
    for (const block of blocks) ends.push(await play(block));
    for (const end of ends) await end();
  });
}

// These, too, use the endpoints that the scripts have by default.
for (const [n, script] of servers.entries()) {
  test(`${script} is reached from this machine only`, async (t) => {
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === "IPv4" && !address.internal);
    if (!outside) return t.skip("this machine has no other address");
    await serve(script);
    const inside = net.connect(5566 + n, "127.0.0.1");
    await once(inside, "connect");
    inside.destroy();
    await assert.rejects(once(net.connect(5566 + n, outside.address), "connect"));
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
  const files = readdirSync(join(root, "test")).filter((file) => file.endsWith(".ts"));
  const tests = files.map((file) => read(`test/${file}`)).join("\n");
  const rows = [...readme.matchAll(/^\| (?!---|what you see)(.*?) \|/gm)];
  assert.ok(rows.length > 30);
  for (const [, row] of rows) {
    const beginning = `\ntest(${JSON.stringify(row)},`;
    assert.equal(tests.split(beginning).length, 2, row);
  }
});

test("links within the repository lead somewhere", () => {
  const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-"),
  );
  for (const [, link] of readme.matchAll(/\]\((?!https:)(.*?)\)/g)) {
    const [path, anchor] = link.split("#");
    assert.ok(path ? existsSync(join(root, path)) : anchors.includes(anchor), link);
  }
});
