/** How fast something is on one core, from several measurements. */
import type { Measured } from "./measurement.ts";
import { median } from "./samples.ts";

/** From here on a core counts as full, so that what was counted is what it gives. */
const FULL = 0.9;

/**
 * Replies a second of one full core. Where the core was not full, since load or service were slower or the machine was
 * busy with something else, by the processor time that a reply took.
 */
export function fullCoreRate(measured: readonly Measured[]): number {
  return median(measured.map(({ rate, coreRate, busy }) => (busy >= FULL ? rate : coreRate)));
}

/** As in `15,200/s (core 97 % busy, p50 6.1 ms)`. */
export function describeRate(measured: readonly Measured[]): string {
  const busy = median(measured.map((one) => one.busy));
  const p50 = median(measured.map((one) => one.p50));
  return `${thousands(fullCoreRate(measured))}/s (core ${Math.round(busy * 100)} % busy, p50 ${p50.toFixed(2)} ms)`;
}

export function thousands(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** Replies by their text, so that nobody takes a quick refusal for a decision. */
export function replies(measured: readonly Measured[]): string {
  const all = new Map<string, number>();
  for (const one of measured) {
    for (const [text, count] of Object.entries(one.replies)) all.set(text, (all.get(text) ?? 0) + count);
  }
  return [...all].map(([text, count]) => `${thousands(count)} × ${text.trim()}`).join(", ");
}

/** The part of the replies that permit. */
export function permitted(measured: readonly Measured[]): number {
  let permits = 0;
  let total = 0;
  for (const one of measured) {
    for (const [text, count] of Object.entries(one.replies)) {
      total += count;
      if (text.startsWith("action=DUNNO")) permits += count;
    }
  }
  return total === 0 ? 0 : permits / total;
}
