// Programs as users write them.
import { root, run } from "./script.ts";

/**
 * Runs lines of a program in plain Node.
 * @param endpoint the program's `endpoint`
 * @param cwd the folder to start it in
 */
export function program(endpoint: string, lines: string, cwd = root) {
  const code = `
    import { once } from "node:events";
    import { createServer } from "node:net";
    import { Worker } from "node:worker_threads";
    import { Publisher, Pull, Push, Reply, Request, Subscriber, XPublisher } from "zeromq";
    const endpoint = process.argv[1];
    ${lines}`;
  const node = ["--expose-gc", "--input-type=module", "--eval", code, endpoint];
  return run(process.execPath, node, { cwd });
}
