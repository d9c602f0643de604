// Node's test(): when a test ends, so does all that it has started or opened.
import assert from "node:assert/strict";
import { afterEach } from "node:test";
import { type EventType, Pair, type Socket } from "zeromq";
import { end, inTime, patience, read, root, run } from "./script.ts";
import { ipc, tcp } from "./temporary.ts";

export { test } from "node:test";

// What nothing refers to any more, while a test waits, may be closed as garbage.
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.close();
  sockets.clear();
  await end();
});

/** Keeps a socket until the test ends. Without a limit, it waits `patience`. */
export function open<S extends Socket>(socket: S): S {
  sockets.add(socket);
  if ("receiveTimeout" in socket && socket.receiveTimeout === -1) {
    socket.receiveTimeout = patience;
  }
  if ("sendTimeout" in socket && socket.sendTimeout === -1) {
    socket.sendTimeout = patience;
  }
  return socket;
}

/** Opens a socket, and binds it to an endpoint of its own. */
export async function bind(socket: Socket): Promise<string> {
  const endpoint = await tcp();
  await open(socket).bind(endpoint);
  return endpoint;
}

/** Opens a socket, and connects it. */
export function connect<S extends Socket>(socket: S, endpoint: string): S {
  open(socket).connect(endpoint);
  return socket;
}

/** Whether this system has IPC at all: not all Windows have. */
export async function hasIpc(): Promise<boolean> {
  const bound = open(new Pair()).bind(ipc());
  return bound.then(() => true, (error) => error.code !== "EAFNOSUPPORT");
}

/**
 * Waits for a socket's next event of a type, like "handshake"; rejects when
 * `patience` is at its end. What comes before the first listener may be missed.
 */
export function event(socket: Socket, type: EventType): Promise<unknown> {
  const next = new Promise((resolve) => socket.events.on(type, resolve));
  return inTime(next, `no ${type}`);
}

/**
 * Runs lines of a program, as users write them, in plain Node.
 * @param endpoint the program's `endpoint`, or what else it needs
 * @param cwd the folder to start it in
 */
export function program(endpoint: string, lines: string, cwd = root) {
  const code = `
    import { once } from "node:events";
    import { createServer } from "node:net";
    import { Worker } from "node:worker_threads";
    import { Publisher, Pull, Push, Reply, Subscriber } from "zeromq";
    const endpoint = process.argv[1];
    ${lines}`;
  const node = ["--expose-gc", "--input-type=module", "--eval", code, endpoint];
  return run(process.execPath, node, { cwd });
}

/** The blocks of TypeScript below one of the README's headings. */
export function recipe(heading: string): string[] {
  const [section] = read("README.md").split(`\n### ${heading}\n`)[1].split(/^##/m);
  const blocks = [...section.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  assert.ok(blocks.join("").split(/\n+/).length <= 31, "thirty lines");
  return blocks;
}
