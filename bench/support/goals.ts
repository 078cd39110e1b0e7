/** Compares figures with their goals. */
import type { Summary } from "./statistics.js";

export type Goal = { atLeast: number } | { atMost: number };
export type Met = "yes" | "even" | "no";

/** "even": the median misses the goal, but the goal lies in the median's confidence interval. */
export function met(compared: Summary, goal: Goal): Met {
  const reaches = (value: number) =>
    "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost;
  if (reaches(compared.median)) return "yes";
  return compared.between.some(reaches) ? "even" : "no";
}

/** The goal and whether it is met, for a row or a ratio; {} without a goal. */
export function judged(compared: Summary, goal?: Goal): { goal?: Goal; met?: Met } {
  return goal === undefined ? {} : { goal, met: met(compared, goal) };
}

export function asked(goal: Goal | undefined, unit: string): string {
  if (goal === undefined) return "-";
  return "atLeast" in goal ? `≥ ${goal.atLeast} ${unit}` : `≤ ${goal.atMost} ${unit}`;
}
