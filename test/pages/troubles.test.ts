// docs/troubleshooting.md: each entry has a name, an anchor, and a test or a reason.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { read, root } from "../../tools/repository.ts";

const page = read("docs/troubleshooting.md");
const [, ...parts] = page.split(/^##+ /m);
const headings = parts.map((part) => part.split("\n", 1)[0]);

/** The rows of all tables: their anchor, what one sees, why, and what to do. */
const rows = [...page.matchAll(/^\| (?!what you see|---)(?:<a id="(.*?)"><\/a>)?(.*) \|$/gm)].map(
  ([, anchor = "", cells]) => ({ anchor, cells: cells.split(" | ") }),
);

/** The causes in all checklists, each with the heading of its list. */
const causes = parts.flatMap((part, n) =>
  [...part.matchAll(/^\d+\. (?:\*\*(.*?)[.:,]?\*\*)?(.*)$/gm)].map(([, cause = "", text]) => ({
    name: `${headings[n]}: ${cause}`,
    text: `${cause}${text}`,
  })),
);

/** All entries, and whether each has a reason to be without a test. */
const entries = [
  ...rows.map(({ cells: [name, ...text] }) => ({ name, text: text.join(" ") })),
  ...causes,
].map(({ name, text }) => ({ name, excused: /not tried here|tried by hand/.test(text) }));

// A test that is skipped for a named reason counts; one that is always skipped does not.
const TITLE =
  /^test\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'),\s*(?:\{ skip: (?!true\b)[a-z!][^}]*\},\s*)?async/gm;
const titles = readdirSync(join(root, "test/pages"))
  .filter((file) => file.startsWith("troubles-"))
  .flatMap((file) => [...read(`test/pages/${file}`).matchAll(TITLE)])
  .map(([, double, single]) => (single ?? double).replaceAll("\\", ""));

test("each entry of troubles has a test of its name, or says why not", () => {
  const without = entries.filter(({ name, excused }) => !excused && !titles.includes(name));
  assert.deepEqual(without, []);
});

test("each test of troubles has an entry of its name", () => {
  assert.ok(titles.length > 100, `${titles.length}`);
  assert.equal(new Set(titles).size, titles.length);
  const names = entries.map(({ name }) => name);
  assert.deepEqual(
    titles.filter((title) => !names.includes(title)),
    [],
  );
});

test("each entry of troubles has an anchor of its own", () => {
  // GitHub makes anchors of headings.
  const slugs = headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  const anchors = [...slugs, ...rows.map(({ anchor }) => anchor)];
  for (const anchor of anchors) assert.match(anchor, /^[a-z\d][a-z\d-]*[a-z\d]$/);
  assert.equal(new Set(anchors).size, anchors.length);
});

test("what is to be looked up in troubles is short", () => {
  assert.ok(page.trimEnd().split("\n").length < 200, "lines");
  const assertShort = (text: string, most: number) => {
    const shown = text.replace(/\[(.*?)\]\(.*?\)/g, "$1");
    assert.ok(shown.length <= most, `${shown.length}: ${shown}`);
  };
  for (const cell of rows.flatMap(({ cells }) => cells)) assertShort(cell, 200);
  for (const { text } of causes) assertShort(text, 240);
  for (const { cells } of rows) assert.equal(cells.length, 3, cells.join(" | "));
});
