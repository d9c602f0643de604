// Endpoints that belong to one test, or measurement, alone.
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { context, Pair, type Socket } from "zeromq";
import { temporary } from "./temporary.ts";

// Sockets that are left open at the end keep no process waiting.
context.blocky = false;

// Below 32768, where systems begin to hand out ports for connections, and
// apart from those of test files that run at the same time.
let port = 10_000 + ((process.pid * 64) % 20_000);

/**
 * A TCP port on 127.0.0.1 where nothing listens.
 * @throws the system's error, unless it is that a port is in use
 */
export async function freePort(): Promise<number> {
  const candidate = ++port;
  const server = createServer().listen(candidate, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    const inUse =
      error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    if (!inUse) throw error;
    return freePort();
  }
  server.close();
  return candidate;
}

/** A TCP endpoint on 127.0.0.1 where nothing listens. */
export async function tcp(): Promise<string> {
  return `tcp://127.0.0.1:${await freePort()}`;
}

/** Binds a socket to such an endpoint, and returns that. */
export async function bind(socket: Socket): Promise<string> {
  const endpoint = await tcp();
  await socket.bind(endpoint);
  return endpoint;
}

let folder: string;
let paths = 0;

/** An IPC endpoint where nothing listens. */
export function ipc(): string {
  folder ??= temporary();
  return `ipc://${join(folder, `${++paths}.ipc`)}`;
}

/** Whether this system has IPC at all: not all Windows have. */
export async function hasIpc(): Promise<boolean> {
  const pair = new Pair();
  const has = await pair.bind(ipc()).then(
    () => true,
    (error) => error.code !== "EAFNOSUPPORT",
  );
  pair.close(); // and refers to it until now: garbage cannot bind
  return has;
}

/** What to do where the temporary folder is not good for IPC. */
export const otherFolder =
  `set ${process.platform === "win32" ? "TEMP" : "TMPDIR"} ` +
  "to another folder, with a short path";
