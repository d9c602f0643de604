// Starts programs as a user does, and reads what they print.
import { spawn, type SpawnOptionsWithoutStdio } from "node:child_process";
import { constants } from "node:os";
import { delimiter, dirname } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "./repository.ts";

/** How long to wait for a line or an end, in ms: enough for a busy machine. */
export const TIMEOUT = 40_000;

/** Waits for a promise, or rejects with an error that says `late` when TIMEOUT has passed. */
export function withTimeout<T>(promise: Promise<T>, late: string): Promise<T> {
  const timeout = sleep(TIMEOUT, undefined, { ref: false });
  return Promise.race([promise, timeout.then(() => Promise.reject(new Error(late)))]);
}

/** The lines of one output of a program. */
// Not the iterator of node:readline: it pauses the program at 1,024 lines that nobody has read.
export class Lines {
  /** When the program was started, as performance.now() has it. */
  readonly begun = performance.now();
  /** All lines so far. */
  readonly all: string[] = [];
  /** Emits each "line" as it comes. */
  readonly reader;
  readonly #errors;
  #read = 0; // lines
  #hasEnded = false;
  #wake = () => {};

  /** @param errors what to show as well when an expected line does not come */
  constructor(output: Readable, errors?: Lines) {
    this.#errors = errors;
    this.reader = createInterface({ input: output });
    this.reader.on("line", (line) => {
      this.all.push(line);
      this.#wake();
    });
    this.reader.on("close", () => {
      this.#hasEnded = true;
      this.#wake();
    });
  }

  /**
   * Waits for the next matching line, or the `count`th: its text. All before it count as read.
   * @throws when the output has ended, or TIMEOUT has passed, before that
   */
  async next(expected: string | RegExp, count = 1): Promise<string> {
    const line = await withTimeout(this.#find(expected, count), "late").catch(() => undefined);
    if (line !== undefined) return line;
    const end = this.#hasEnded ? "the output has ended" : "it is still open";
    const lines = [...this.all, ...(this.#errors?.all ?? [])].slice(-20);
    throw new Error([`no line ${expected} (${end}), only:`, ...lines].join("\n  "));
  }

  /** Skips the lines so far, so that next() waits for one that is still to come. */
  skip() {
    this.#read = this.all.length;
  }

  async #find(expected: string | RegExp, count: number) {
    for (;;) {
      while (this.#read < this.all.length) {
        const line = this.all[this.#read++];
        const matches = typeof expected === "string" ? line === expected : expected.test(line);
        if (matches && --count === 0) return line;
      }
      if (this.#hasEnded) return undefined;
      await new Promise<void>((wake) => (this.#wake = wake));
    }
  }
}

/** A program that was started. */
export type Program = ReturnType<typeof startProgram>;

const running = new Set<Program>();

/** Ends a program, even one that was stopped by SIGSTOP. */
function end({ child }: Program) {
  child.kill();
  if (process.platform !== "win32") child.kill("SIGCONT");
}

// A signal would end this process without this event: hence exitOnSignals().
process.on("exit", () => running.forEach(end));

/** Lets this process exit on Ctrl-C and the like, and when nobody reads its output any more. */
export function exitOnSignals() {
  // A SIGTERM ends npm, and the shell between, which do not pass it on.
  const { ppid } = process;
  setInterval(() => process.ppid !== ppid && process.exit(143), 500).unref();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  }
  process.stdout.on("error", () => process.exit());
}

// What changes how Node, tsx or Python behave, or what they print. node:test sets some itself:
// NODE_TEST_CONTEXT and, on a terminal, FORCE_COLOR. A proxy is not for this machine.
const unwanted =
  /^((NODE|UV|TSX|ESBUILD)_.*|PYTHON.*|OPENSSL_CONF|(FORCE|NO)_COLOR|(HTTPS?|ALL|NO)_PROXY)$/i;

/** The environment without the user's settings, in which `node` is the one that runs this. */
export const plainEnv = () => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !unwanted.test(name))),
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
});

/** Starts a command like spawn(): by default in the repository; `env` is added to plainEnv(). */
export function startProgram(
  command: string,
  args: string[],
  options: SpawnOptionsWithoutStdio = {},
) {
  const env = { ...plainEnv(), ...options.env };
  const child = spawn(command, args, { cwd: root, ...options, env });
  child.stdin.end();
  const stderr = new Lines(child.stderr);
  const stdout = new Lines(child.stdout, stderr);
  child.on("error", (error) => stderr.all.push(String(error)));

  /** Resolves with the exit status, or the signal that ended it, when its output has ended too. */
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on("close", (status, signal) => {
      running.delete(program);
      resolve(signal ?? status ?? -1);
    });
  });
  /** Like `ended`, but rejects when TIMEOUT has passed. */
  const exitStatus = () => withTimeout(ended, `still running: ${command} ${args.join(" ")}`);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const program = { child, stdout, stderr, ended, exitStatus, isRunning };
  running.add(program);
  return program;
}

/** Node's arguments for a script, of which one in TypeScript needs tsx. */
export const nodeArgs = (script: string) =>
  script.endsWith(".js") ? [script] : ["--import", "tsx", script];

/** Starts a script with Node: its path is absolute, or begins at the repository's folder. */
export const startScript = (script: string, ...args: string[]) =>
  startProgram(process.execPath, [...nodeArgs(script), ...args]);

/** Starts a server and waits until it is bound: then it prints a line. */
export async function startServer(script: string, ...args: string[]) {
  const server = startScript(script, ...args);
  await server.stdout.next(/./);
  return server;
}

/** Ends all that was started, and waits until it has ended. */
export async function killAll() {
  running.forEach(end);
  await Promise.all([...running].map(({ ended }) => ended));
}
