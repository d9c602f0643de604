// What tests are made of. When a test ends, so does all that it has started or opened.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { join } from "node:path";
import { afterEach } from "node:test";
import { context, type EventType, Pair, type Socket, Subscriber, type XPublisher } from "zeromq";
import { exitOnSignals, killAll, Lines, startProgram, withTimeout } from "../tools/child.ts";
import { freePort, ipcEndpoint, tcpEndpoint, temporaryFolder } from "../tools/endpoints.ts";
import { read, root } from "../tools/repository.ts";

// A socket that nothing refers to any more may be closed as garbage.
const sockets = new Set<Socket>();

// What programs hold, see census().
const connections = new Set<net.Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.close();
  sockets.clear();
  for (const connection of connections) connection.destroy();
  await killAll();
});

// What a test has not sent keeps no process waiting, and Ctrl-C leaves no folder behind.
context.blocky = false;
exitOnSignals();

// Without process.exit(), Node waits for ZeroMQ's threads in the end. After a refused handshake
// with keys, libzmq 4.3.5 once did not let them go. By now, all results are reported.
process.once("beforeExit", () => process.on("exit", () => process.exit()));

/** What npm runs for each name. */
export const { scripts: commands } = JSON.parse(read("package.json"));

/** Starts what `npm run NAME -- ARG …` runs, without a shell, so that signals reach it. */
export function startCommand(name: string, args: string[] = [], env = {}) {
  const [node, ...words] = commands[name].split(" ");
  assert.equal(node, "node");
  return startProgram(process.execPath, [...words, ...args], { env });
}

/** The examples: a folder each. */
export const examples = readdirSync(root).filter((path) =>
  existsSync(join(root, path, "server.ts")),
);

/** The paths of all the examples' scripts, from the repository's folder. */
export const scripts = examples.flatMap((folder) =>
  readdirSync(join(root, folder)).map((file) => `${folder}/${file}`),
);

/** Those of them that bind. */
export const servers = scripts.filter((script) => script.endsWith("server.ts"));

const ENDPOINT = /(?<=tcp:\/\/127\.0\.0\.1:)\d+|(?<=ipc:\/\/\$\{tmpdir\(\)\}\/)[\w-]+\.ipc/g;

/** The ports on 127.0.0.1, and the files in the temporary folder, in a script's endpoints. */
export const defaultsOf = (script: string) => read(script).match(ENDPOINT) ?? [];

/** A text in which something stands in place of another, which must be there. */
export function replace(text: string, from: string | RegExp, to: string): string {
  const replaced = text.replaceAll(from, to);
  assert.notEqual(replaced, text, `nothing to replace: ${from}`);
  return replaced;
}

/** Keeps a socket until the test ends. */
export function open<S extends Socket>(socket: S): S {
  sockets.add(socket);
  return socket;
}

/** Why a test that needs signals, run bits or the like is skipped, if it is. */
export const notOnWindows = process.platform === "win32" && "Windows has no such thing";

/** Why a test that needs IPC is skipped, if it is: not all Windows have IPC. */
export let noIpc: string | false = false;
if (notOnWindows) {
  const bound = open(new Pair()).bind(ipcEndpoint());
  const code = await bound.catch((error) => error.code);
  if (code === "EAFNOSUPPORT") noIpc = "this system has no IPC";
}

/** TypeScript's compiler, without its bin/tsc, which needs Node 20.10. */
export const tsc = join(root, "node_modules/typescript/lib/tsc.js");

/** Why a test that needs it is skipped, if it is. */
export const noTypeScript = !existsSync(tsc) && "TypeScript is not installed";

/** Opens a socket, and binds it to an endpoint of its own. */
export async function bind(socket: Socket): Promise<string> {
  const endpoint = await tcpEndpoint();
  await open(socket).bind(endpoint);
  return endpoint;
}

/** Opens a socket, and connects it. */
export function connect<S extends Socket>(socket: S, endpoint: string): S {
  open(socket).connect(endpoint);
  return socket;
}

/** Connects a subscriber, and waits until its subscription is at the XPublisher. */
export async function subscribe(
  publisher: XPublisher, // with `verbosity: "allSubs"`
  endpoint: string,
  topic = "",
  options?: ConstructorParameters<typeof Subscriber>[0],
): Promise<Subscriber> {
  const subscriber = connect(new Subscriber(options), endpoint);
  subscriber.subscribe(topic);
  await publisher.receive();
  return subscriber;
}

/** Waits for a socket's next event, like "handshake", or throws at TIMEOUT; misses earlier ones. */
export function event(socket: Socket, type: EventType): Promise<unknown> {
  const next = new Promise((resolve) => socket.events.on(type, resolve));
  return withTimeout(next, `no ${type}`);
}

/** Closes a socket, and waits until its endpoint is free, or for its last event, "end". */
export async function close(socket: Socket, until: "close" | "end" = "close") {
  const reached = event(socket, until);
  socket.close();
  await reached;
}

/** A new project's folder, with the packages from here, and for "" without a tsconfig.json. */
export function project(tsconfig = "{}"): string {
  // A run that was ended leaves the outer folder behind, where it is no example.
  const path = join(temporaryFolder(root, ".project-"), "project");
  mkdirSync(path);
  writeFileSync(join(path, "package.json"), '{ "type": "module" }');
  if (tsconfig) writeFileSync(join(path, "tsconfig.json"), tsconfig);
  return path;
}

/** Texts in a script, each with what is to stand in its place. */
export type Changes = Record<string, string>;

/** A changed copy of a script, in such a project: its path. As JavaScript, it starts at once. */
export function copy(script: string, changes: Changes): string {
  let code = read(script);
  for (const [from, to] of Object.entries(changes)) code = replace(code, from, to);
  // tsx brings esbuild along; pnpm keeps it elsewhere. It is loaded where it is needed only.
  const tsx = createRequire(import.meta.url).resolve("tsx");
  const esbuild: { transformSync(code: string, options: object): { code: string } } =
    createRequire(tsx)("esbuild");
  const path = join(project(), "copy.js");
  writeFileSync(path, esbuild.transformSync(code, { loader: "ts" }).code);
  return path;
}

/** Expects a client to say, every one to two seconds, that it has no server. */
export async function assertSaysNoServer({ stderr }: { stderr: Lines }, endpoint: string) {
  const hint = `No server at ${endpoint}: trying again`;
  await assertRepeats(stderr, hint, 900, 2500);
  assert.deepEqual(new Set(stderr.all), new Set([hint]));
}

/** Expects a line again and again: since the start, `min` ms apart at least; now, `max` at most. */
export async function assertRepeats(lines: Lines, line: string | RegExp, min: number, max: number) {
  const times: number[] = [];
  while (times.length < 5) {
    await lines.next(line);
    times.push(performance.now());
  }
  // A busy machine delays some lines, which come closer together then, but hardly all of them.
  const apart = Math.min(...times.slice(1).map((time, n) => time - times[n]));
  assert.ok(apart <= max, `${line} came every ${apart} ms`);
  const age = times[4] - lines.begun;
  assert.ok(age >= 4 * min, `${line} came five times in ${age} ms`);
}

/** The environment for a Node that runs this code first, and passes it on to those it starts. */
export const preload = (code: string) => ({
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}`,
});

/** Counts processes that run `code`, or have this `env`: each of the `ends` is that of one. */
export async function census() {
  const ends: Promise<unknown>[] = [];
  // They hold a connection, which ends with them, however they end.
  const server = net.createServer((connection) => {
    connections.add(connection.resume().on("error", () => {}));
    ends.push(new Promise((resolve) => connection.on("close", resolve)));
  });
  const port = await freePort();
  await once(server.listen(port, "127.0.0.1").unref(), "listening");
  const connection = `connect(${port}, "127.0.0.1").on("error", () => {}).unref()`;
  const code = `import { connect } from "node:net"; ${connection};`;
  return { code, env: preload(code), ends };
}

/** What comes before a ZMTP 3 connection's first message. */
export const greeting = Buffer.from(
  `\xff${"\0".repeat(8)}\x7f\x03\0NULL`.padEnd(64, "\0"),
  "latin1",
);

/** Does to a server what strangers do, whose bytes are no messages. */
export async function bother(endpoint: string) {
  const port = Number(new URL(endpoint).port);
  for (let n = 0; n < 100; n++) {
    // It looks random, but is the same in each run.
    const hash = createHash("shake256", { outputLength: n * 10 });
    const noise = hash.update(`${n}`).digest();
    const web = "GET / HTTP/1.1\r\nHost: example\r\n\r\n";
    const old = "\x01\0\x03\0hi"; // ZMTP 1.0, without an envelope
    for (const bytes of [noise, web, old, Buffer.concat([greeting, noise])]) {
      const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
      // libzmq greets whoever connects, so this comes at once, unless it hangs up on us.
      socket.on("data", () => socket.destroy()).on("error", () => {});
      await new Promise((resolve) => socket.on("close", resolve));
    }
  }
  // No server here has a socket that may talk to a Pair.
  const pair = new Pair();
  const refused = event(pair, "disconnect");
  connect(pair, endpoint);
  await refused;
}
