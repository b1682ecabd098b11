/** Entries and a log for the tests of stores. */
import { createHash } from "node:crypto";
import type { Remembered } from "../../../src/cache/store.ts";
import type { StoreOptions } from "../../../src/cache/stores/options.ts";
import type { Log } from "../../../src/observe/log.ts";

export const HOUR = 3_600_000;

/** An entry whose body says what it is. */
export function remembered(text: string, change: Partial<Remembered> = {}): Remembered {
  const now = Date.now();
  return {
    service: "corp",
    reply: { status: 200, headers: new Map([["content-type", "text/plain"]]), body: Buffer.from(text) },
    storedAt: now,
    freshUntil: now + HOUR,
    staleUntil: now + 24 * HOUR,
    asked: {
      attributes: new Map([
        ["sender", `${text}@example.org`],
        ["client_address", "192.0.2.1"],
      ]),
      listener: "inet:127.0.0.1:9998",
      recipients: ["b@example.com"],
    },
    ...change,
  };
}

export function bodyOf(entry: Remembered | undefined): string | undefined {
  return entry?.reply.body.toString();
}

/** A key as calls have it. */
export function keyOf(text: string | number): string {
  return createHash("sha256").update(String(text)).digest("base64url");
}

export interface Recorder extends Log {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: object }[];
  /** Messages of this level. */
  at(level: string): string[];
}

export function recorder(): Recorder {
  const lines: Recorder["lines"] = [];
  const record = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields });
  };
  return {
    lines,
    at: (level) => lines.filter((line) => line.level === level).map(({ message }) => message),
    debug: record("debug"),
    info: record("info"),
    warn: record("warn"),
    error: record("error"),
  };
}

export function options(log: Log, change: Partial<StoreOptions> = {}): StoreOptions {
  return { maxEntries: 1000, keep: 24 * HOUR, timeout: 50, log, ...change };
}

/** Waits until `condition` holds, 10 s at most. */
export async function until(condition: () => unknown, what = "what was waited for"): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
