// Folders for one test, or measurement, alone.
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./script.ts";

const folders: string[] = [];
process.on("exit", () => {
  for (const path of folders) {
    // On Windows, not while it is the current folder of a process that ends.
    rmSync(path, { recursive: true, force: true, maxRetries: 9 });
  }
});

/**
 * A new folder, removed when this process ends. Its path is short, as one for
 * IPC must be.
 */
export function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), "zmq-"));
  folders.push(path);
  return path;
}

/** A new project in such a folder, with the packages of this one. */
export function project(): string {
  const path = temporary();
  const modules = "node_modules";
  symlinkSync(join(root, modules), join(path, modules), "junction");
  writeFileSync(join(path, "package.json"), '{ "type": "module" }');
  return path;
}
