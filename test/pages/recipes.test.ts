// The page of the recipes shows what its programs hold and print; what is shipped as it says, runs.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Pull, Push, Router, XPublisher } from "zeromq";
import { startProgram, TIMEOUT } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { bind, connect, notOnWindows, noTypeScript, project, replace, tsc } from "../support.ts";
import { all } from "./support.ts";
import { files, FOLDER, notPlayed, noZmq, play } from "./terminals.ts";

const page = read(`${FOLDER}/README.md`);
const recipes = page.split(/^## /m).slice(1);
const titleOf = (recipe: string) => recipe.slice(0, recipe.indexOf("\n"));

for (const file of files) {
  test(`${file} is short, and stands alone; a program has a first line and a run bit`, () => {
    const code = read(`${FOLDER}/${file}`);
    const most = file === "jobs.ts" ? 80 : file.endsWith(".py") ? 25 : 60;
    assert.ok(code.trimEnd().split("\n").length <= most, `it has more than ${most} lines`);
    assert.doesNotMatch(code, /(from|import) ?\(?"(\.\.|\/|\.\/.*\/)/);
    const canCrash = code.includes("heartbeatInterval:") && code.includes("socket.connect(");
    if (canCrash) assert.ok(code.includes("receiveHighWaterMark: 0,"), "with a full queue");
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

test("each terminal shows what the page does", { skip: notOnWindows }, async () => {
  const left = recipes.filter((recipe) => !notPlayed(recipe));
  const playOn = async () => {
    for (let recipe = left.pop(); recipe; recipe = left.pop()) await play(recipe);
  };
  // Four at a time: a recipe waits most of the time, but a busy machine should not be late.
  await Promise.all([playOn(), playOn(), playOn(), playOn()]);
});
for (const recipe of recipes.filter(notPlayed)) {
  test(`the terminals of: ${titleOf(recipe)}`, { skip: notPlayed(recipe) }, () => {});
}

const ship = recipes.find((recipe) => titleOf(recipe) === "Ship it") ?? "";
/** What is shipped: a server in two files, of which one has a type for the other. */
const shipped = {
  "package.json": '{ "type": "module" }',
  "package-lock.json": "{}",
  "own.ts": 'export type Job = string;\nexport const job: Job = "hello";\n',
  "server.ts": `
    import { Push } from "zeromq";
    import { job, type Job } from "./own.ts";
    const next: Job = job;
    const socket = new Push();
    await socket.bind(process.argv[2] ?? "");
    await socket.send(next);`,
};
const node = (cwd: string, ...args: string[]) => startProgram(process.execPath, args, { cwd });

/** Makes JavaScript with the page's lines in tsconfig.json; what Node cannot run is reported. */
async function build(cwd: string) {
  writeFileSync(join(cwd, "bad.ts"), 'import { Job } from "./own.ts";\nenum Colour {}\n');
  await node(cwd, tsc, "--init").exitStatus();
  const config = join(cwd, "tsconfig.json");
  const begin = '"compilerOptions": {\n';
  const [lines] = all(/^```json\n(.*?)^```$/gms, ship);
  writeFileSync(config, replace(readFileSync(config, "utf8"), begin, begin + lines));
  const { exitStatus, stdout } = node(cwd, tsc);
  await exitStatus();
  const [type, colour, ...others] = stdout.all;
  assert.match(type, /^bad\.ts.*type-only import/);
  assert.match(colour, /^bad\.ts.*erasableSyntaxOnly/);
  assert.deepEqual(others, []);
}

const copied = all(/^COPY (.*) \.\/$/gm, ship).flatMap((names) => names.split(" "));
const isCopied = (file: string) =>
  copied.some((name) => RegExp(`^${name.replace("*", "\\w+")}$`).test(file));
// The container's command ends with an endpoint that can be reached from outside.
const [command] = all(/^CMD (.*)$/gm, ship).map((words) => JSON.parse(words).join(" "));
const stripsTypes = "typescript" in process.features && process.features.typescript;
const ways = {
  [command.replace(/ tcp:\/\/0\.0\.0\.0:\d+$/, "")]: false,
  "node server.ts": !stripsTypes && "Node 22.18 and later remove types",
  "node dist/server.js": noTypeScript,
};
for (const [way, skip] of Object.entries(ways)) {
  test(
    `${way} starts a server of several files, as copied into a container`,
    { skip },
    async () => {
      assert.ok(ship.includes(`\n${way}\n`));
      const cwd = project("");
      for (const [file, text] of Object.entries(shipped))
        if (isCopied(file)) writeFileSync(join(cwd, file), text);
      if (way.includes("dist")) await build(cwd);
      const endpoint = await tcpEndpoint();
      const { ended, stderr } = node(cwd, ...way.split(" ").slice(1), endpoint);
      const pull = connect(new Pull({ receiveTimeout: TIMEOUT }), endpoint);
      const [job] = await Promise.race([pull.receive(), ended.then(() => stderr.all)]);
      assert.equal(String(job), "hello");
    },
  );
}

const escapes = "\x1b[31mred\x9b1m\r\n";
const rubbish = [Buffer.from([0xc3, 0x28]), escapes, ["two", "frames"], "é 🎥 it's"];
const jobs = ["null", "[1]", '{"code":200}', '{"code":true,"text":""}', '{"code":1,"text":[]}'];
jobs.push("[".repeat(100_000), '{"code":-1.5,"text":"half \\ud800 é 🎥"}');
jobs.push(JSON.stringify({ code: 1, text: escapes }), '{"code":200,"text":"last"}');
const limits = { receiveTimeout: TIMEOUT, sendTimeout: TIMEOUT };

for (const [name, makeSocket, messages, printed] of [
  ["camera", () => new XPublisher(limits), [...rubbish, "last"], 5],
  ["worker", () => new Push({ sendTimeout: TIMEOUT }), [...rubbish, ...jobs], 3],
  ["client", () => new Router(limits), [...rubbish, "last"], 5],
] as const) {
  test(`${name}.py survives whatever comes, and prints it`, { skip: noZmq }, async () => {
    const socket = makeSocket();
    const args = [`${FOLDER}/${name}.py`, await bind(socket)];
    const { stdout, stderr } = startProgram("python3", args);
    if (socket instanceof XPublisher) await socket.receive(); // its subscription
    for (const message of messages) {
      const envelope = socket instanceof Router ? (await socket.receive()).slice(0, 2) : [];
      await socket.send([...envelope, message].flat());
    }
    await stdout.next(/last/);
    assert.equal(stdout.all.length, printed);
    for (const line of [...stdout.all, ...stderr.all]) assert.doesNotMatch(line, /\p{Cc}/u);
  });
}

test("own.test.ts passes, ends, and fails where its function is wrong", async () => {
  const command = "node --enable-source-maps --import tsx --test own.test.ts";
  assert.ok(page.includes(`\n${command}\n`));
  const [cwd, code] = [project(), read(`${FOLDER}/own.ts`)];
  const wrong = replace(code, '"room1/"', '""');
  for (const [folder, own] of Object.entries({ ".": code, wrong })) {
    mkdirSync(join(cwd, folder), { recursive: true });
    cpSync(join(root, FOLDER, "own.test.ts"), join(cwd, folder, "own.test.ts"));
    writeFileSync(join(cwd, folder, "own.ts"), own);
  }
  const { exitStatus, stdout } = node(cwd, ...command.split(" ").slice(1), "wrong/own.test.ts");
  assert.equal(await exitStatus(), 1);
  const line = read(`${FOLDER}/own.test.ts`).split("assert.equal(")[0].split("\n").length;
  for (const result of ["pass 1\n", "fail 1\n", `wrong.own\\.test\\.ts:${line}:`])
    assert.match(stdout.all.join("\n"), RegExp(result));
});
