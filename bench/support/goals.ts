/** Figures beside what was asked for. */
import type { Summary } from "./statistics.js";
import { printTable } from "./table.js";

export interface Figure {
  what: string;
  /** In words, with units */
  ours: string;
  python?: string | undefined;
  /** What the goal is about: a ratio, or a figure of ours */
  compared: Summary | null;
  unit: "×" | "MB" | "ms";
  /** A ratio's by each round's fastest runs */
  fastest?: Summary | null | undefined;
  goal?: { atLeast: number } | { atMost: number };
}

const HEADER = ["", "this package", "Python", "compared", "fastest runs", "asked for", "met"];

export function printFigures(figures: readonly Figure[]): void {
  const lines = figures.map((figure) => [
    figure.what,
    figure.ours,
    figure.python ?? "-",
    range(figure.compared, figure.unit),
    range(figure.fastest ?? null, figure.unit),
    asked(figure),
    met(figure) ?? "-",
  ]);
  printTable([HEADER, ...lines], 1);
}

/**
 * "even" where the median misses the goal and yet the goal lies where the median may: more rounds might say either.
 * null where there was no goal, or nothing to compare with.
 */
export function met({ compared, goal }: Figure): "yes" | "even" | "no" | null {
  if (goal === undefined || compared === null) return null;
  const reaches = (value: number) =>
    "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost;
  if (reaches(compared.median)) return "yes";
  return compared.between.some(reaches) ? "even" : "no";
}

function asked({ goal, unit }: Figure): string {
  if (goal === undefined) return "-";
  return "atLeast" in goal ? `≥ ${goal.atLeast} ${unit}` : `≤ ${goal.atMost} ${unit}`;
}

function range(summary: Summary | null, unit: string): string {
  if (summary === null) return "-";
  const text = (value: number) => value.toFixed(value < 10 ? 2 : 1);
  return `${text(summary.median)} ${unit} (${text(summary.low)} to ${text(summary.high)})`;
}
