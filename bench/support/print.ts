/** Prints results and comparisons as tables. */
import { type Comparison, LEAST_RUNS } from "./compare.js";
import { asked } from "./goals.js";
import type { Result } from "./schema.js";
import type { Summary } from "./statistics.js";
import { printTable } from "./table.js";

export function figure(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value >= 0.1 ? value.toFixed(2) : value.toFixed(3);
}

export function spread({ median, low, high }: Summary): string {
  return `${figure(median)} (${figure(low)} to ${figure(high)})`;
}

/** The median's confidence interval, with its confidence if that is below 95 %. */
export function interval({ samples, between: [from, to], confidence }: Summary): string {
  if (samples < 2) return "-";
  const range = `${figure(from)} to ${figure(to)}`;
  return confidence < 0.95 ? `${range} (${(100 * confidence).toFixed(0)} %)` : range;
}

export function printResult({ rows, ratios, notes }: Result): void {
  printTable(
    [
      ["", "median (quartiles)", "unit", "runs", "95 % interval", "goal", "met"],
      ...rows.map((row) => [
        row.name,
        spread(row),
        row.unit,
        String(row.samples),
        interval(row),
        asked(row.goal, row.unit),
        row.met ?? "-",
      ]),
    ],
    1,
  );
  if (ratios.length > 0) {
    console.log();
    printTable(
      [
        ["", "times faster", "95 % interval", "fastest runs", "goal", "met"],
        ...ratios.map(({ what, ours, theirs, ratio, fastest, goal, met }) => [
          what ?? `${ours}, than ${theirs}`,
          spread(ratio),
          interval(ratio),
          fastest ? spread(fastest) : "-",
          asked(goal, "×"),
          met ?? "-",
        ]),
      ],
      1,
    );
  }
  for (const note of notes) console.log(`\n${note}`);
}

export function printComparison({ incomparable, notes, changes }: Comparison): void {
  if (incomparable.length > 0) {
    console.log(`Not compared, because the two runs differ:\n  ${incomparable.join("\n  ")}`);
    return;
  }
  for (const note of notes) console.log(note);
  printTable(
    [
      ["", "times as fast", "by", ""],
      ...changes.map(({ name, speed, by, verdict }) => [
        name,
        speed === null ? "-" : speed.toFixed(2),
        by,
        verdict,
      ]),
    ],
    1,
  );
  if (changes.some(({ verdict }) => verdict === "unclear"))
    console.log(
      `\nunclear: with fewer than ${LEAST_RUNS} runs or rounds, changes cannot be told from noise`,
    );
}
