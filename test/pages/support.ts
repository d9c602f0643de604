// What the tests of pages are made of, beside test/support.ts.
import { execSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dealer, type Router, Subscriber, type XPublisher, type XSubscriber } from "zeromq";
import {
  nodeArgs,
  plainEnv,
  type Program,
  startProgram,
  TIMEOUT,
  withTimeout,
} from "../../tools/child.ts";
import { freePort, tcpEndpoint } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { type Changes, connect, copy, event, notOnWindows } from "../support.ts";

/** Whether a script starts by its first line: BusyBox's env has no -S. */
export const knowsFirstLines =
  !notOnWindows && spawnSync("env", ["-S", "true"], { env: plainEnv() }).status === 0;

const openFiles = notOnWindows ? NaN : Number(execSync("ulimit -n"));
/** Why a test that opens many files is skipped, if it is. */
export const fewFiles = openFiles < 2000 && "this system allows too few open files";

/** This machine's address on its network, if it has one. */
export const outsideAddress = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === "IPv4" && !address.internal)?.address;

/** What a group in a pattern matches, for each match in a text. */
export const all = (pattern: RegExp, text: string, group = 1) =>
  [...text.matchAll(pattern)].map((match) => match[group]);

/** What a send() or receive() rejects with that has waited long enough. */
export const timedOut = { code: "EAGAIN", message: "Operation was not possible or timed out" };

/** Whether a promise is fulfilled before another one. It rejects as soon as one of them does. */
export const comesFirst = (promise: Promise<unknown>, other: Promise<unknown>) =>
  Promise.race([promise.then(() => true), other.then(() => false)]);

/** Runs lines of a program, whose first argument is its `endpoint`, in plain Node. */
export function program(code: string, ...args: string[]) {
  const lines = `
    import { once } from "node:events";
    import { createServer } from "node:net";
    import { Worker } from "node:worker_threads";
    import { Publisher, Pull, Push, Reply, Subscriber } from "zeromq";
    const endpoint = process.argv[1];
    ${code}`;
  const node = ["--expose-gc", "--input-type=module", "--eval", lines];
  return startProgram(process.execPath, [...node, ...args]);
}

/**
 * Lays a cable to a TCP endpoint: who connects to its endpoint is passed on. After cut(), no bytes
 * pass over the connections that there are, and neither end is told; new ones work. It resolves when
 * one of the ends has noticed, and hangs up.
 * @param onBytes gets what passes, in both directions
 */
export async function layCable(to: string, onBytes = (_: Buffer) => {}) {
  const sockets = new Set<net.Socket>();
  const cable = net.createServer((near) => {
    const far = net.connect(Number(new URL(to).port), "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket.on("data", onBytes).unref());
      socket.on("error", () => {});
    }
  });
  const port = await freePort();
  await once(cable.listen(port, "127.0.0.1").unref(), "listening");
  const lose = (socket: net.Socket) =>
    new Promise((hungUp) => socket.on("close", hungUp).unpipe().resume());
  const cut = () => Promise.race(Array.from(sockets, lose));
  return { endpoint: `tcp://127.0.0.1:${port}`, cut };
}

/** Ends a program that was started: its exit status. */
export function end({ child, exitStatus }: Program, signal: NodeJS.Signals = "SIGKILL") {
  child.kill(signal);
  return exitStatus();
}

/** TCP endpoints on 127.0.0.1 where nobody listens. */
export const tcpEndpoints = (count: number) =>
  Promise.all(Array.from({ length: count }, tcpEndpoint));

/** Connects a subscriber, whether the publisher is there yet or not. Its receive() has a limit. */
export function follow(endpoint: string, topic: string): Subscriber {
  const subscriber = connect(new Subscriber({ receiveTimeout: TIMEOUT }), endpoint);
  subscriber.subscribe(topic);
  return subscriber;
}

/** Receives a message: its frames as text. */
export const receiveText = async (socket: { receive(): Promise<Buffer[]> }) =>
  (await socket.receive()).map(String);

/** Counts what a socket receives until nothing has come for 200 ms. */
export async function drain(socket: Subscriber | Dealer | Router): Promise<number> {
  socket.receiveTimeout = 200;
  for (let count = 0; ; count++) if (!(await socket.receive().catch(() => {}))) return count;
}

/** Sends a message, and waits until the peer hangs up. */
export async function sendRefused(socket: XPublisher | XSubscriber | Dealer, message: string) {
  const refused = event(socket, "disconnect");
  await socket.send(message);
  await refused;
}

/** A text that could garble a terminal, and what is to be shown in its place. */
export const garbling = { text: "\x1b\x1b[0m[31mred\n", shown: "'\\x1B\\x1B[0m[31mred\\n'" };

// What recipes wait for takes too long for a test.
const shorter = Object.entries({
  "heartbeatInterval: 1000": "heartbeatInterval: 500",
  "receiveTimeout: 5000": "receiveTimeout: 500",
  "reconnectInterval: 1000": "reconnectInterval: 50",
  "reconnectInterval: 500": "reconnectInterval: 50",
});

/** A recipe's program. With changes, it is a copy, which also waits for less time. */
export function recipe(name: string, changes?: Changes): string {
  const path = `docs/recipes/${name}.ts`;
  if (!changes) return path;
  const code = read(path);
  const waits = shorter.filter(([text]) => code.includes(text));
  return copy(path, { ...Object.fromEntries(waits), ...changes });
}

/** Starts a recipe's program, or such a copy. */
export const startRecipe = (name: string, args: string[], changes?: Changes, env = {}) =>
  startProgram(process.execPath, [...nodeArgs(recipe(name, changes)), ...args], {
    env,
  });

/** Starts such a server, and waits until it is bound: then it prints a line. */
export async function serveRecipe(...program: Parameters<typeof startRecipe>) {
  const server = startRecipe(...program);
  await server.stdout.next(/./);
  return server;
}

/** Waits until a condition holds, or throws at TIMEOUT. */
export async function until(holds: () => boolean, late: string) {
  let waits = true;
  const wait = async () => {
    while (waits && !holds()) await sleep(10);
  };
  await withTimeout(wait(), late).finally(() => (waits = false));
}

/** What starts a command as the first process of its PID namespace, as in a container. */
export const asFirst = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
/** Why a test that needs that is skipped, if it is. */
export const noUnshare = spawnSync("env", [...asFirst, "true"]).status !== 0 && "no unshare";

/** Installs a copy of zeromq, and of what it needs, into a folder. */
export function copyZeromq(folder: string) {
  const zeromq = realpathSync(join(root, "node_modules/zeromq"));
  // pnpm keeps what zeromq needs elsewhere.
  const loader = createRequire(join(zeromq, "lib/index.js")).resolve("cmake-ts/build/loader");
  const others = new RegExp(`build.(?!${process.platform})(darwin|linux|win32)\\b`);
  const filter = (path: string) => !others.test(path);
  for (const [name, from] of [
    ["zeromq", zeromq],
    ["cmake-ts", loader.slice(0, loader.lastIndexOf("cmake-ts") + "cmake-ts".length)],
  ]) {
    cpSync(from, join(folder, "node_modules", name), { recursive: true, filter });
  }
}
