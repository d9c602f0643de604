// Endpoints that belong to one test, or measurement, alone.
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Below 32768, where systems begin to hand out ports for connections, and
// apart from those of test files that run at the same time.
let port = 10_000 + ((process.pid * 64) % 20_000);
let paths = 0;

/** A TCP port on 127.0.0.1 where nothing listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const candidate = ++port;
    const server = createServer().listen(candidate, "127.0.0.1");
    const free = await once(server, "listening").catch(() => false);
    server.close();
    if (free) return candidate;
  }
}

/** A TCP endpoint on 127.0.0.1 where nothing listens. */
export async function tcp(): Promise<string> {
  return `tcp://127.0.0.1:${await freePort()}`;
}

/** An IPC endpoint in the temporary folder; its file is removed at the end. */
export function ipc(): string {
  const path = join(tmpdir(), `zeromq-examples-${process.pid}-${++paths}.ipc`);
  process.on("exit", () => rmSync(path, { force: true }));
  return `ipc://${path}`;
}
