// The table that the bench prints.

const RUNS = 5;

/** @returns a number without decimals */
export const { format } = new Intl.NumberFormat("en", {
  maximumFractionDigits: 0,
});

/** @param part 0.5 for the median, 0.99 for p99 */
function quantile(values: number[], part: number) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((values.length - 1) * part)] ?? NaN;
}

/** Prints a row; its name alone is shown on a terminal until the rest comes. */
export function print(name: string, median = "", range = "", note = "") {
  const cells = [name.padEnd(24), median.padStart(12), "  ", range.padEnd(19)];
  const line = [...cells, note].join("").trimEnd();
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
  if (median) console.log(process.stdout.isTTY ? "" : line);
}

/**
 * Measures a row several times, after a warm-up that does not count.
 * @param measure returns one figure or more, of which the median counts
 * @returns the median of all runs
 */
export async function row(
  name: string,
  unit: string,
  measure: () => Promise<number[]>,
) {
  print(name);
  await measure();
  const runs: number[][] = [];
  while (runs.length < RUNS) runs.push(await measure());
  const medians = runs.map((figures) => quantile(figures, 0.5));
  const [low = NaN, median = NaN, high = NaN] = [0, 0.5, 1].map((part) =>
    quantile(medians, part),
  );
  const all = runs.flat();
  const p99 = `p99 ${format(quantile(all, 0.99))} µs, ${format(1e6 / median)} /s`;
  const range = `${format(low)} to ${format(high)}`;
  print(name, `${format(median)} ${unit}`, range, all.length > RUNS ? p99 : "");
  return median;
}
