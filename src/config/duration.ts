/** Durations and sizes as the configuration writes them: `250ms`, `3s`, `5m`, `24h`; `64KiB`, `1MiB`. */
import { z } from "zod";
import { describe } from "../source/shape.ts";

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** What a timer can wait, rounded down to whole days. */
const MAX_DURATION = 24 * 24 * 3_600_000;
const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 * 1024 };
const MAX_SIZE = 256 * 1024 * 1024;

/** Milliseconds of a duration such as `250ms`; undefined when it is none, or longer than 24 days. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,10})(ms|s|m|h)$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  const duration = Number(count) * (MILLISECONDS[unit] ?? 0);
  return duration <= MAX_DURATION ? duration : undefined;
}

/** A duration as a person writes it: `formatDuration(3000)` is `3s`. */
export function formatDuration(duration: number): string {
  const unit =
    ["h", "m", "s"].find((name) => duration > 0 && duration % (MILLISECONDS[name] ?? 1) === 0) ?? "ms";
  return `${duration / (MILLISECONDS[unit] ?? 1)}${unit}`;
}

/** What an editor knows of them (JSON Schema). */
export const DURATION = {
  type: "string",
  pattern: "^[0-9]{1,10}(ms|s|m|h)$",
  examples: ["250ms", "3s", "5m", "24h"],
};
export const SIZE = { type: "string", pattern: "^[0-9]{1,9}(B|KiB|MiB)$", examples: ["64KiB", "1MiB"] };

/** A size as a person writes it: `formatSize(65536)` is `64KiB`. */
export function formatSize(bytes: number): string {
  const unit = ["MiB", "KiB"].find((name) => bytes % (BYTES[name] ?? 1) === 0) ?? "B";
  return `${bytes / (BYTES[unit] ?? 1)}${unit}`;
}

/** Schema of a duration of at least `minimum` milliseconds; its output is milliseconds. */
export function duration(minimum: number): z.ZodType<number> {
  return z
    .unknown()
    .meta(DURATION)
    .transform((value, context) => {
      const parsed = typeof value === "string" ? parseDuration(value) : undefined;
      if (parsed !== undefined && parsed >= minimum) return parsed;
      const message =
        parsed === undefined
          ? `expected a duration such as 250ms, 3s, 5m or 24h, got ${describe(value)}`
          : `expected a duration of at least ${formatDuration(minimum)}, got ${describe(value)}`;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    });
}

/** Schema of a size such as `64KiB`; its output is bytes. */
export function size(): z.ZodType<number> {
  return z
    .unknown()
    .meta(SIZE)
    .transform((value, context) => {
      const [, count, unit] = typeof value === "string" ? (/^(\d{1,9})(B|KiB|MiB)$/.exec(value) ?? []) : [];
      const parsed = Number(count) * (BYTES[unit ?? ""] ?? 0);
      if (parsed > 0 && parsed <= MAX_SIZE) return parsed;
      const message = `expected a size such as 64KiB or 1MiB, at most 256MiB, got ${describe(value)}`;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    });
}
