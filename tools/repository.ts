// What the repository holds.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** The text of a file, whose path begins at the repository's folder. */
export const read = (path: string) => readFileSync(join(root, path), "utf8");
