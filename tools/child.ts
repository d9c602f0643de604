// Starts a script as a user does, and reads what it prints.
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** @returns the text of a file of the repository */
export const read = (path: string) => readFileSync(join(root, path), "utf8");

/** How long to wait for a line or an end, in ms: enough for a busy machine. */
export const patience = 40_000;

/** Waits for a promise, but rejects, and says so, when `patience` is at its end. */
export async function inTime<T>(promise: Promise<T>, late: string): Promise<T> {
  const end = setTimeout(patience, undefined, { ref: false });
  const first = await Promise.race([promise.then((value) => ({ value })), end]);
  if (first) return first.value;
  throw new Error(late);
}

/** The lines of one output of a process, as they come: an event "line" each. */
export class Lines extends EventEmitter {
  /** All lines so far. */
  readonly all: string[] = [];
  readonly #errors;
  #ended = false;
  #next = 0;

  /** @param errors what to show, too, when an expected line does not come */
  constructor(output: Readable, errors?: Lines) {
    super();
    this.#errors = errors;
    const reader = createInterface({ input: output });
    reader.on("line", (line) => {
      this.all.push(line);
      this.emit("line", line);
      this.emit("change");
    });
    reader.on("close", () => {
      this.#ended = true;
      this.emit("change");
    });
  }

  /**
   * Waits until there are `count` lines that match, after those that earlier
   * calls waited for.
   * @returns the last of them
   * @throws where the output ends, or `patience` does, before they have come
   */
  async next(expected: string | RegExp, count = 1): Promise<string> {
    const signal = AbortSignal.timeout(patience);
    for (;;) {
      while (this.#next < this.all.length) {
        const line = this.all[this.#next++];
        const matches =
          line === expected || (expected instanceof RegExp && expected.test(line));
        if (matches && --count === 0) return line;
      }
      if (this.#ended || signal.aborted) break;
      await once(this, "change", { signal }).catch(() => {}); // too late
    }
    const lines = [...this.all, ...(this.#errors?.all ?? [])].slice(-20);
    throw new Error([`no line ${expected}, only:`, ...lines].join("\n  "));
  }
}

/** A process that was started. */
export type Script = ReturnType<typeof run>;

const running = new Set<Script>();

// However this process ends, what it has started ends with it.
process.on("exit", () => {
  for (const { child } of running) child.kill();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, exit);
process.stdout.on("error", () => exit(0)); // whoever read this is gone

let exiting = false;

/**
 * Ends all that was started, and then this process.
 * @param by its exit status, or the signal that shells make one of
 */
export async function exit(by: number | NodeJS.Signals) {
  if (exiting) return;
  exiting = true;
  process.on("uncaughtException", () => {}); // of what waits for their lines
  await end();
  process.exit(typeof by === "number" ? by : 128 + constants.signals[by]);
}

// What is started prints what it prints into a pipe of a plain shell's: without
// the colours that FORCE_COLOR asks for, as node:test does on a terminal, and
// without what NODE_OPTIONS may add.
const { FORCE_COLOR, NODE_OPTIONS, NODE_TEST_CONTEXT, ...plain } = process.env;

/**
 * Starts a command.
 * @param options.cwd the folder to start it in
 * @param options.env variables on top of those of this process
 */
export function run(
  command: string,
  args: string[],
  { cwd = root, env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) {
  const child = spawn(command, args, {
    cwd,
    env: { ...plain, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stderr = new Lines(child.stderr);
  const stdout = new Lines(child.stdout, stderr);
  child.on("error", (error) => stderr.all.push(String(error)));

  /** Resolves with the exit status, or the signal that ended it. */
  const ended = new Promise<number | NodeJS.Signals>((done) => {
    child.on("close", (status, signal) => {
      running.delete(script);
      done(signal ?? status ?? -1);
    });
  });
  /** Like `ended`, but rejects when `patience` is at its end. */
  const status = () => inTime(ended, `still running: ${command} ${args.join(" ")}`);
  /** Whether it has neither ended nor been ended by a signal. */
  const runs = () => child.exitCode === null && child.signalCode === null;
  const script = { child, stdout, stderr, ended, status, runs };
  running.add(script);
  return script;
}

/** Starts a script: its path is absolute, or begins at the repository's folder. */
export function start(script: string, ...args: string[]) {
  const path = resolve(root, script);
  return run(process.execPath, ["--import", "tsx", path, ...args]);
}

/** Starts a server and waits until it is bound: then it prints a line. */
export async function serve(script: string, ...args: string[]) {
  const server = start(script, ...args);
  await server.stdout.next(/./);
  return server;
}

/** Ends all that was started. */
export async function end() {
  const last = [...running];
  for (const { child } of last) child.kill();
  await Promise.all(last.map(({ ended }) => ended));
}

/** The examples, easiest first: a folder each. */
export const examples = ["waynes-world", "passing-json", "eventloop"];

/** The paths of all the examples' scripts, from the repository's folder. */
export const scripts = examples.flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `${folder}/${file}`),
);

/** Those of them that bind. */
export const servers = scripts.filter((script) => script.endsWith("server.ts"));
