// Starts a script as a user does, and reads what it prints.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** How long to wait for a line or an end, in ms: enough for a busy machine. */
export const patience = 40_000;

/** The lines of one output of a process, as they come. */
export class Lines {
  /** All lines so far. */
  readonly all: string[] = [];
  readonly #reader;
  readonly #errors: Lines | undefined;
  #ended = false;
  #next = 0;

  /**
   * @param output where the lines come from
   * @param errors what to show, too, when an expected line does not come
   */
  constructor(output: Readable, errors?: Lines) {
    this.#errors = errors;
    this.#reader = createInterface({ input: output });
    this.#reader.on("line", (line) => this.all.push(line));
    this.#reader.on("close", () => (this.#ended = true));
  }

  /** Calls `listener` for each line that comes from now on. */
  each(listener: (line: string) => void) {
    this.#reader.on("line", listener);
  }

  /**
   * Waits until there are `count` lines that match, after those that earlier
   * calls waited for.
   * @returns the last of them
   * @throws where the output ends, or `patience` does, before they have come
   */
  async next(expected: string | RegExp, count = 1): Promise<string> {
    const stop = new AbortController();
    const abort = () => stop.abort();
    const timer = setTimeout(abort, patience);
    this.#reader.once("close", abort);
    if (this.#ended) abort();
    try {
      for (;;) {
        while (this.#next < this.all.length) {
          const line = this.all[this.#next++] ?? "";
          const matches =
            typeof expected === "string"
              ? line === expected
              : expected.test(line);
          if (matches && --count === 0) return line;
        }
        await once(this.#reader, "line", { signal: stop.signal });
      }
    } catch {
      const lines = [...this.all, ...(this.#errors?.all ?? [])].slice(-20);
      throw new Error([`no line ${expected}, only:`, ...lines].join("\n  "));
    } finally {
      clearTimeout(timer);
      this.#reader.off("close", abort);
    }
  }
}

// node:test sets FORCE_COLOR on a terminal, and users do: what a script prints
// is to be the same everywhere.
const { FORCE_COLOR, ...env } = process.env;

const running = new Set<Script>();

/**
 * Starts a command.
 * @param signal ends it when aborted
 * @param cwd the folder to start it in
 */
export function run(
  command: string,
  args: string[],
  signal?: AbortSignal,
  cwd = root,
) {
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    // Sends SIGTERM, so that a tool lives to end what it has started.
    signal,
  });
  const stderr = new Lines(child.stderr);
  // It could not be started, or the signal ended it.
  child.on("error", (error) => stderr.all.push(String(error)));

  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on("close", (status, by) => {
      running.delete(script);
      resolve(by ?? status ?? -1);
    });
  });
  const stdout = new Lines(child.stdout, stderr);
  const tooLate = () => delay(patience, "still running", { ref: false });
  const status = () => Promise.race([ended, tooLate()]);
  const script = { child, stdout, stderr, ended, status };
  running.add(script);
  return script;
}

/** A script that was started. */
export type Script = {
  child: ChildProcess;
  stdout: Lines;
  stderr: Lines;
  /** Resolves with the exit status, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
  /** Resolves like `ended`, or with a string when `patience` is at its end. */
  status: () => Promise<number | string>;
};

/** Starts a script, given from the repository's folder, as the README does. */
export function start(
  script: string,
  args: string[],
  signal?: AbortSignal,
  cwd = root,
) {
  const path = join(root, script);
  // Windows knows neither the shebang nor the run bit.
  return process.platform === "win32"
    ? run(process.execPath, ["--import", "tsx", path, ...args], signal, cwd)
    : run(path, args, signal, cwd);
}

/** Why tests that send signals are left out on Windows; false elsewhere. */
export const noSignals =
  process.platform === "win32" && "Windows has no such signals";

let ending = false;

/**
 * Ends all that was started, and then this process.
 * @param by its exit status, or the signal that shells make one of
 */
export async function end(by: number | NodeJS.Signals) {
  if (ending) return;
  ending = true;
  const last = [...running];
  for (const { child } of last) child.kill();
  await Promise.all(last.map(({ ended }) => ended));
  process.exit(typeof by === "number" ? by : 128 + constants.signals[by]);
}

/** Lets no end of this process leave behind what it has started. */
export function endTogether() {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, end);
  }
  process.on("uncaughtException", (error) => {
    console.error(error);
    end(1);
  });
  process.stdout.on("error", () => end(0)); // whoever read this is gone
}

/** The examples, easiest first: a folder each. */
export const examples = ["waynes-world", "passing-json", "eventloop"];

/** The paths of all the examples' scripts, from the repository's folder. */
export const scripts = examples.flatMap((folder) =>
  readdirSync(join(root, folder)).map((file) => `${folder}/${file}`),
);

/** Those of them that bind. */
export const servers = scripts.filter((script) => script.endsWith("server.ts"));
