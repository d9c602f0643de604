// The page of the recipes has all their programs, and shows what they hold and print.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { plainEnv, startProgram } from "../../tools/child.ts";
import { freePort, temporaryFolder } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { knowsFirstLines, notOnWindows, outsideAddress, project, scripts } from "../support.ts";

const FOLDER = "docs/recipes";
const page = read(`${FOLDER}/README.md`);
const files = readdirSync(join(root, FOLDER)).filter((file) => !file.endsWith(".md"));
const recipes = page.split(/^## /m).slice(1);
const titleOf = (recipe: string) => recipe.slice(0, recipe.indexOf("\n"));
const all = (pattern: RegExp, text: string) => [...text.matchAll(pattern)].map(([, part]) => part);

for (const file of files) {
  test(`${file} is short, and stands alone; a program has a first line and a run bit`, () => {
    const code = read(`${FOLDER}/${file}`);
    const most = file === "jobs.ts" ? 80 : file.endsWith(".py") ? 25 : 60;
    assert.ok(code.trimEnd().split("\n").length <= most, `it has more than ${most} lines`);
    assert.doesNotMatch(code, /(from|import) ?\(?"(\.\.|\/|\.\/.*\/)/);
    if (file.endsWith(".test.ts") || /^export /m.test(code)) return; // no program by itself
    const line = file.endsWith(".py") ? "python3" : "-S node --import tsx";
    assert.ok(code.startsWith(`#!/usr/bin/env ${line}\n`));
    if (!notOnWindows) assert.equal(statSync(join(root, FOLDER, file)).mode & 0o111, 0o111);
  });
}

test("the table of contents has each recipe, in order, and each file", () => {
  const rows = all(/^\| (?!when|---)(.*)/gm, page.slice(0, page.indexOf("\n## ")));
  assert.deepEqual(
    rows.map((row) => all(/\[([^\]]*)\]\(#/g, row)[0]),
    recipes.map(titleOf),
  );
  assert.deepEqual(new Set(all(/\]\((?!#)(.*?)\)/g, rows.join())), new Set(files));
});

test("the page has at most 450 lines without what it quotes", () => {
  const lines = page.replace(/^```.*?^```\n/gms, "").split("\n");
  assert.ok(lines.length <= 450, `${lines.length}`);
});

test("the lines of a lesson are those of the program", () => {
  const quotes = /^The lesson, in \[(.*?)\]\((.*?)\):\n\n```(?:ts|python)\n(.*?)^```$/gms;
  const lessons = [...page.matchAll(quotes)];
  assert.equal(lessons.length, page.match(/^```(ts|python)$/gm)?.length);
  for (const [, name, file, lines] of lessons) {
    assert.equal(name, file);
    assert.ok(`\n${read(join(FOLDER, file))}`.includes(`\n${lines}`), `${file} has no\n${lines}`);
  }
});

const works = (command: string, ...args: string[]) =>
  spawnSync(command, args, { env: plainEnv() }).status === 0;
const hasZmq = works("python3", "-c", "import zmq");
const hasCurl = works("curl", "--version");

/** The terminals of a recipe: what is typed, and the lines that it prints. */
const terminalsOf = (recipe: string) =>
  all(/^```console\n(.*?)^```$/gms, recipe)
    .flatMap((block) => block.split(/^\$ /m).slice(1))
    .map((terminal) => terminal.trimEnd().split("\n"));

/** Plays a recipe in copies of all programs, in which the documented ports are free ones. */
async function play(recipe: string) {
  const folder = project();
  const programs = [...files.map((file) => `${FOLDER}/${file}`), ...scripts];
  const port = /\b(?:55[67]\d|8080)\b/g;
  const free = new Map<string, number>();
  for (const [used] of [recipe, ...programs.map(read)].join().matchAll(port)) {
    if (!free.has(used)) free.set(used, await freePort());
  }
  const move = (text: string) => text.replace(port, (used) => `${free.get(used)}`);
  for (const path of programs) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), move(read(path)), { mode: 0o755 });
  }
  const cwd = join(folder, FOLDER);
  writeFileSync(join(cwd, "big.bin"), "A small file shows the same.");
  for (const [, text, name] of recipe.matchAll(/^```sh\n(# (\S+\.env)\b.*?)^```/gms)) {
    writeFileSync(join(cwd, name), text);
  }
  const TMPDIR = temporaryFolder(); // where the examples' IPC endpoint is

  const shown: Promise<void>[] = [];
  for (const [typed, ...lines] of terminalsOf(recipe)) {
    let command = move(typed).replace("192.168.1.20", outsideAddress ?? "127.0.0.1");
    if (!knowsFirstLines) command = command.replace(/^(?=\S+\.ts)/, "node --import tsx ");
    // Programs start at once; other commands, like curl, when these have shown their lines.
    if (!/^(\.|node )/.test(typed)) await Promise.all(shown);
    // With exec, a signal reaches the program, and not the shell.
    const exec = /[&|;>]/.test(typed) ? "" : "exec ";
    const words = ["-c", `exec 2>&1\n${exec}${command}`];
    const { child, stdout } = startProgram("sh", words, { cwd, env: { TMPDIR } });
    const showLines = async () => {
      for (const line of lines) {
        if (line.startsWith("^C")) child.kill("SIGINT");
        const escaped = line.replace("^C", "").replace(/[.*+?^$()[\]{}|\\]/g, "\\$&");
        await stdout.next(new RegExp(`^${escaped.replace(/\d+/g, "\\d+")}$`)); // other numbers
      }
    };
    shown.push(showLines());
  }
  await Promise.all(shown);
}

/** Why a recipe is not played, if it is not. */
function skipped(recipe: string) {
  const typed = terminalsOf(recipe).map(([typed]) => typed);
  if (!hasZmq && typed.some((line) => line.includes(".py"))) return "python3 has no zmq";
  if (!hasCurl && typed.some((line) => line.startsWith("curl"))) return "there is no curl";
  return notOnWindows;
}

test("each terminal shows what the page does", { skip: notOnWindows }, async () => {
  const left = recipes.filter((recipe) => !skipped(recipe));
  const playOn = async () => {
    for (let recipe = left.pop(); recipe; recipe = left.pop()) await play(recipe);
  };
  // Three at a time: a recipe waits most of the time, but a busy machine should not be late.
  await Promise.all([playOn(), playOn(), playOn()]);
});
for (const recipe of recipes.filter(skipped)) {
  test(`the terminals of: ${titleOf(recipe)}`, { skip: skipped(recipe) }, () => {});
}
