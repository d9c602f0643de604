// Endpoints and folders that belong to one test, or measurement, alone.
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { context } from "zeromq";
import { root } from "./script.ts";

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
  const bound = await once(server, "listening").catch((error) => {
    if (error.code !== "EADDRINUSE") throw error;
  });
  server.close();
  return bound ? candidate : freePort();
}

/** A TCP endpoint on 127.0.0.1 where nothing listens. */
export async function tcp(): Promise<string> {
  return `tcp://127.0.0.1:${await freePort()}`;
}

const folders: string[] = [];
process.on("exit", () => {
  for (const path of folders) {
    // On Windows, not while it is the current folder of a process that ends.
    rmSync(path, { recursive: true, force: true, maxRetries: 9 });
  }
});

/** A new folder, by default with a short path, as one for IPC must be. */
export function temporary(parent = tmpdir(), prefix = "zmq-"): string {
  const path = mkdtempSync(join(parent, prefix));
  folders.push(path);
  return path;
}

let sockets: string;
let paths = 0;

/** An IPC endpoint where nothing listens. */
export function ipc(): string {
  sockets ??= temporary();
  return `ipc://${join(sockets, `${++paths}.ipc`)}`;
}

/** A new project in a folder of its own, which has only the packages from here. */
export function project(): string {
  const path = join(temporary(root, ".project-"), "project");
  mkdirSync(path);
  writeFileSync(join(path, "package.json"), '{ "type": "module" }');
  writeFileSync(join(path, "tsconfig.json"), "{}");
  return path;
}

/** A new script in such a project: its path. */
export function copy(code: string): string {
  const path = join(project(), "script.ts");
  writeFileSync(path, code);
  return path;
}

const variable = process.platform === "win32" ? "TEMP" : "TMPDIR";
/** What to do where the temporary folder is not good for IPC. */
export const otherFolder = `set ${variable} to another folder, with a short path`;
