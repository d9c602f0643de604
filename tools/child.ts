// Starts programs as a user does, and reads what they print.
import { spawn, type SpawnOptionsWithoutStdio } from "node:child_process";
import { on } from "node:events";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { root } from "./repository.ts";

/** How long to wait for a line or an end, in ms: enough for a busy machine. */
export const TIMEOUT = 40_000;

/** Waits for a promise, or throws an error that says `late` when TIMEOUT has passed. */
export function withTimeout<T>(promise: Promise<T>, late: string): Promise<T> {
  const timeout = setTimeout(TIMEOUT, undefined, { ref: false });
  return Promise.race([promise, timeout.then(() => Promise.reject(new Error(late)))]);
}

/** The lines of one output of a program. */
export class Lines {
  /** All lines so far. */
  readonly all: string[] = [];
  /** Emits each "line" as it comes. */
  readonly reader;
  readonly #unread;
  #read = 0; // lines
  readonly #errors;

  /** @param errors what to show, too, when an expected line does not come */
  constructor(output: Readable, errors?: Lines) {
    this.reader = createInterface({ input: output });
    this.reader.on("line", (line) => this.all.push(line));
    this.#unread = on(this.reader, "line", { close: ["close"] });
    this.#errors = errors;
  }

  /**
   * Waits for the next matching line, or the `count`th: its text. All before it count as read.
   * @throws when the output has ended, or TIMEOUT has passed, before that
   */
  async next(expected: string | RegExp, count = 1): Promise<string> {
    try {
      return await withTimeout(this.#find(expected, count), "too late");
    } catch {
      const lines = [...this.all, ...(this.#errors?.all ?? [])].slice(-20);
      throw new Error([`no line ${expected}, only:`, ...lines].join("\n  "));
    }
  }

  /** Skips the lines so far, so that next() waits for one that is still to come. */
  async skip() {
    for (; this.#read < this.all.length; this.#read++) await this.#unread.next();
  }

  async #find(expected: string | RegExp, count: number): Promise<string> {
    for (;;) {
      const { done, value } = await this.#unread.next();
      if (done) throw new Error("the end");
      this.#read++;
      const line = String(value[0]);
      const matches = typeof expected === "string" ? line === expected : expected.test(line);
      if (matches) count--;
      if (matches && count === 0) return line;
    }
  }
}

/** A program that was started. */
export type Program = ReturnType<typeof run>;

const running = new Set<Program>();

// However this process ends, what it has started ends with it.
process.on("exit", () => {
  for (const { child } of running) child.kill();
});

/** Ends this process on Ctrl-C and the like, and when nobody reads it any more. */
export function exitWithChildren() {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  }
  process.stdout.on("error", () => process.exit());
}

// What is started prints what it prints into a pipe of a plain shell's: without the colours that
// FORCE_COLOR asks for, as node:test does on a terminal, and without what NODE_OPTIONS may add.
const { FORCE_COLOR, NODE_OPTIONS, NODE_TEST_CONTEXT, ...plain } = process.env;

/** Starts a command like spawn(): by default in the repository; `env` adds to the variables here. */
export function run(command: string, args: string[], options: SpawnOptionsWithoutStdio = {}) {
  const child = spawn(command, args, { cwd: root, ...options, env: { ...plain, ...options.env } });
  child.stdin.end();
  const stderr = new Lines(child.stderr);
  const stdout = new Lines(child.stdout, stderr);
  child.on("error", (error) => stderr.all.push(String(error)));

  /** Resolves with the exit status, or the signal that ended it. */
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on("close", (status, signal) => {
      running.delete(program);
      resolve(signal ?? status ?? -1);
    });
  });
  /** Like `ended`, but rejects when TIMEOUT has passed. */
  const exited = () => withTimeout(ended, `still running: ${command} ${args.join(" ")}`);
  /** Whether it has neither ended nor been ended by a signal. */
  const runs = () => child.exitCode === null && child.signalCode === null;
  const program = { child, stdout, stderr, ended, exited, runs };
  running.add(program);
  return program;
}

/** Starts a script: its path is absolute, or begins at the repository's folder. */
export const start = (script: string, ...args: string[]) =>
  run(process.execPath, ["--import", "tsx", script, ...args]);

/** Starts a server and waits until it is bound: then it prints a line. */
export async function serve(script: string, ...args: string[]) {
  const server = start(script, ...args);
  await server.stdout.next(/./);
  return server;
}

/** Ends all that was started, and waits until it has ended. */
export async function killAll() {
  for (const { child } of running) child.kill();
  await Promise.all([...running].map(({ ended }) => ended));
}
