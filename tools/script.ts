// Starts a script as a user does, and reads what it prints.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** How long to wait for a line or an end, in ms: enough for a busy machine. */
export const patience = 15_000;

/** The lines of one output of a process, as they come. */
export class Lines {
  /** All lines so far. */
  readonly all: string[] = [];
  readonly #reader;
  readonly #ended = new AbortController();
  #next = 0;

  readonly #errors: Lines | undefined;

  /**
   * @param output where the lines come from
   * @param errors what to show, too, when an expected line does not come
   */
  constructor(output: Readable, errors?: Lines) {
    this.#errors = errors;
    this.#reader = createInterface({ input: output });
    this.#reader.on("line", (line) => this.all.push(line));
    this.#reader.on("close", () => this.#ended.abort());
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
    const signal = AbortSignal.any([
      AbortSignal.timeout(patience),
      this.#ended.signal,
    ]);
    for (;;) {
      while (this.#next < this.all.length) {
        const line = this.all[this.#next++] ?? "";
        const matches =
          typeof expected === "string" ? line === expected : expected.test(line);
        if (matches && --count === 0) return line;
      }
      await once(this.#reader, "line", { signal }).catch(() => {
        const lines = [...this.all, ...(this.#errors?.all ?? [])].slice(-20);
        throw new Error([`no line ${expected}, only:`, ...lines].join("\n  "));
      });
    }
  }
}

/**
 * Starts a script the way the README does.
 * @param script its path from the repository's folder
 * @param args its arguments
 * @param signal kills it when aborted
 * @param options.cwd the folder to start it in; the repository's by default
 * @param options.env variables that it gets beside those of this process
 */
export function start(
  script: string,
  args: string[],
  signal: AbortSignal,
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) {
  const path = join(root, script);
  const spawnOptions = {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    signal,
    // The default, SIGTERM: tools must live to end what they started.
  };
  // Windows knows neither the shebang nor the run bit.
  const child =
    process.platform === "win32"
      ? spawn(process.execPath, ["--import", "tsx", path, ...args], spawnOptions)
      : spawn(path, args, spawnOptions);
  const stderr = new Lines(child.stderr);
  child.on("error", (error) => stderr.all.push(String(error)));

  return {
    script,
    child,
    stdout: new Lines(child.stdout, stderr),
    stderr,
    /** Resolves with the exit status, or the signal that ended the script. */
    ended: new Promise<number | NodeJS.Signals>((resolve) => {
      child.on("close", (status, by) => resolve(by ?? status ?? -1));
    }),
  };
}

/** A script that was started. */
export type Script = ReturnType<typeof start>;

/** The examples, easiest first: a folder each. */
export const examples = ["waynes-world", "passing-json", "eventloop"];

/** The paths of all the examples' scripts, from the repository's folder. */
export const scripts = examples.flatMap((folder) =>
  readdirSync(join(root, folder)).map((file) => `${folder}/${file}`),
);

/** Those of them that bind. */
export const servers = scripts.filter((script) => script.endsWith("server.ts"));
