/** By what a file is known to have changed. */
import type { Stats } from "node:fs";

/** What changes with every change of a file, whether it is written over or another put in its place. */
export function signatureOf(stats: Stats | undefined): string {
  return stats === undefined ? "missing" : `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}`;
}
