/** How the lines are printed. */
import type { Figure, Line } from "./line.ts";

/** A line that could not be measured says why. */
export interface Outcome {
  readonly line: Line;
  readonly result: Figure | { readonly unavailable: string };
}

export const HEAD = ["| what | goal | figure | met | seen |", "|---|---|---|---|---|"].join("\n");

export function row({ line, result }: Outcome): string {
  const cells =
    "unavailable" in result
      ? ["not available", "–", result.unavailable]
      : [result.figure, result.met ? "yes" : "**no**", result.note];
  return `| ${[`${line.name}: ${line.what}`, line.goal, ...cells].join(" | ")} |`;
}

/** For programs: one object a line. */
export function json({ line, result }: Outcome): string {
  return JSON.stringify({ name: line.name, goal: line.goal, ...result });
}
