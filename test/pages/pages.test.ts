// What all pages have in common.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { read, root } from "../../tools/repository.ts";

const pages = ["README.md", "docs/recipes.md", "docs/troubleshooting.md"];

/** The anchors that GitHub makes of a page's headings. */
const anchors = (page: string) =>
  [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-"),
  );

for (const page of pages) {
  test(`the links in ${page} lead somewhere`, () => {
    for (const [, link] of read(page).matchAll(/\]\((?!https:)(.*?)\)/g)) {
      const [path, anchor] = link.split("#");
      const target = path ? join(dirname(page), path) : page;
      assert.ok(existsSync(join(root, target)), link);
      if (anchor) assert.ok(anchors(target).includes(anchor), link);
    }
  });
}

test("each row of troubles has a test of its name, and each such test a row", () => {
  const table = /^\| (?!---|what you see)(.*?) \|(.*)\|$/gm;
  const rows = [...read("docs/troubleshooting.md").matchAll(table)]
    .filter(([, , rest]) => !/not tried here|tried by hand/.test(rest))
    .map(([, name]) => name);
  const titles = readdirSync(join(root, "test/pages"))
    .filter((file) => file.startsWith("troubles-"))
    .flatMap((file) => [
      ...read(`test/pages/${file}`).matchAll(/^(?:test\(|  )("(?:[^"\\]|\\.)*"),/gm),
    ])
    .map(([, literal]) => String(JSON.parse(literal)));
  assert.deepEqual(titles.sort(), rows.sort());
});
