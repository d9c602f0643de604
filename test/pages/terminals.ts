// Plays the terminals that the page of the recipes shows.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { plainEnv, startProgram } from "../../tools/child.ts";
import { freePort, temporaryFolder } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { notOnWindows, project, scripts } from "../support.ts";
import { all, knowsFirstLines, outsideAddress } from "./support.ts";

/** Where the recipes' programs are, and their page. */
export const FOLDER = "docs/recipes";
/** The programs' names. */
export const files = readdirSync(join(root, FOLDER)).filter((file) => !file.endsWith(".md"));

/** The terminals of a recipe: what is typed, and the lines that it prints. */
const terminalsOf = (recipe: string) =>
  all(/^```console\n(.*?)^```$/gms, recipe)
    .flatMap((block) => block.split(/^\$ /m).slice(1))
    .map((terminal) => terminal.trimEnd().split("\n"));

const works = (command: string, ...args: string[]) =>
  spawnSync(command, args, { env: plainEnv() }).status === 0;
const noCurl = !works("curl", "--version") && "there is no curl";
/** Why a test that needs zmq for Python is skipped, if it is. */
export const noZmq = !works("python3", "-c", "import zmq") && "python3 has no zmq";

/** Why a recipe's terminals are not played, if they are not. */
export function notPlayed(recipe: string) {
  const typed = terminalsOf(recipe).map(([typed]) => typed);
  if (noZmq && typed.some((line) => line.includes(".py"))) return noZmq;
  if (noCurl && typed.some((line) => line.startsWith("curl"))) return noCurl;
  return notOnWindows;
}

/** Plays a recipe in copies of all programs, in which the documented ports are free ones. */
export async function play(recipe: string) {
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
