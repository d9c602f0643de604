// Endpoints and folders that belong to one test, or measurement, alone.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Like common.PORT of Node's own tests: a port that the system hands out for port 0, it may hand
// out again, and some tests need one where nobody listens. Below 32768 it hands out none. Each of
// 200 processes that start one after the other has 100 ports of its own.
let port = 10_000 + (process.pid % 200) * 100;

/** A TCP port on 127.0.0.1 where nobody listens. Throws any error but that it is in use. */
export async function freePort(): Promise<number> {
  const candidate = port++;
  const server = createServer().listen(candidate, "127.0.0.1");
  const bound = await once(server, "listening").catch((error) => {
    // Windows reserves ranges of ports, with EACCES.
    if (error.code !== "EADDRINUSE" && error.code !== "EACCES") throw error;
  });
  server.close();
  return bound ? candidate : freePort();
}

/** A TCP endpoint on 127.0.0.1 where nobody listens. */
export const tcpEndpoint = async () => `tcp://127.0.0.1:${await freePort()}`;

const folders: string[] = [];
process.on("exit", () => {
  // Windows removes no folder in which a process is still ending: it is tried again.
  for (const path of folders) rmSync(path, { recursive: true, force: true, maxRetries: 9 });
});

/** A new folder, removed when this process ends. By default, its path is short enough for IPC. */
export function temporaryFolder(parent = tmpdir(), prefix = "zmq-"): string {
  const path = mkdtempSync(join(parent, prefix));
  folders.push(path);
  return path;
}

/** An IPC endpoint where nobody listens. */
export const ipcEndpoint = () => `ipc://${join(temporaryFolder(), "socket.ipc")}`;
