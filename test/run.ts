// Layers 3 and up of `npm test`: runs the test files layer by layer, and stops
// at a layer that is broken. A file's name begins with its layer.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";
import { root } from "../tools/script.ts";

const layers = {
  3: "a script starts",
  4: "messages pass",
  5: "the examples' endpoints are free",
  6: "the examples work",
  7: "the examples withstand faults",
  8: "the README is true",
};

const folder = join(root, "test");
const files = readdirSync(folder).filter((file) => file.endsWith(".test.ts"));
let passed = 0;
let failed = 0;
for (const [layer, title] of Object.entries(layers)) {
  console.log(`Layer ${layer}: ${title}`);
  const ofLayer = files.filter((file) => file.startsWith(layer));
  const events = run({
    files: ofLayer.map((file) => join(folder, file)),
    concurrency: 6,
    timeout: 180_000,
  });
  const names: string[] = [];
  const name = (nesting: number) => names.slice(0, nesting + 1).join(": ");
  for await (const { type, data } of events) {
    if (type === "test:stderr") {
      process.stderr.write(data.message);
    } else if (type === "test:start") {
      names.length = data.nesting;
      names.push(data.name);
    } else if (type === "test:pass" && data.skip) {
      console.log(`  - ${name(data.nesting)} (skipped: ${data.skip})`);
    } else if (type === "test:pass" && data.details.type !== "suite") {
      passed++;
      console.log(`  ✔ ${name(data.nesting)}`);
    } else if (type === "test:fail") {
      const { cause, message } = data.details.error;
      if (/^\d+ subtests? failed$/.test(message)) continue; // they were shown
      failed++;
      console.log(`  ✖ ${name(data.nesting)}`);
      const reason = cause instanceof Error ? cause.message : message;
      console.log(reason.replaceAll(/^/gm, "    "));
    }
  }
  if (failed > 0) {
    console.log(`\n${passed} passed, ${failed} failed`);
    console.log(
      `Your setup does not work: layer ${layer}, "${title}", is broken.`,
    );
    process.exit(1);
  }
}
console.log(`\n${passed} passed, 0 failed`);
console.log("Your setup works.");
