// What the repository holds.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** @returns the text of a file, whose path begins at the repository's folder */
export const read = (path: string) => readFileSync(join(root, path), "utf8");

/** The examples, easiest first: a folder each. */
export const examples = ["waynes-world", "passing-json", "eventloop"];

/** The paths of all the examples' scripts, from the repository's folder. */
export const scripts = examples.flatMap((folder) =>
  readdirSync(join(root, folder)).map((file) => `${folder}/${file}`),
);

/** Those of them that bind. */
export const servers = scripts.filter((script) => script.endsWith("server.ts"));

/** The ports on 127.0.0.1, and the files in the temporary folder, in a script's endpoints. */
export const defaultsOf = (script: string) =>
  read(script).match(/(?<=tcp:\/\/127\.0\.0\.1:)\d+|(?<=ipc:\/\/\$\{tmpdir\(\)\}\/)[\w-]+\.ipc/g) ?? [];
