/** What a process takes: processor, memory, descriptors; and how late its event loop is. */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Figure, Figures } from "./figures.ts";

const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;
/** Of the clock that the lag is seen by, in milliseconds. */
const RESOLUTION = 20;

/** From the first look on. */
let delays: ReturnType<typeof monitorEventLoopDelay> | null = null;
let started: number | null = null;
let mostFiles: number | undefined | null = null;

/**
 * Of this process. The lag is that since the last look.
 *
 * @param worker its number; empty for a process that is none
 */
export async function processFigures(worker: string): Promise<Figures> {
  const { user, system } = process.cpuUsage();
  const files = await readdir("/proc/self/fd").catch(() => []);
  started ??= Date.now() / 1000 - process.uptime();
  if (mostFiles === null) mostFiles = readMostFiles();
  const one = (value: number) => [{ labels: [worker], value }];
  return {
    cpu: one((user + system) / MICROSECONDS),
    memory: one(process.memoryUsage.rss()),
    startTime: one(started),
    // Without the one by which they were counted.
    ...(files.length > 0 && { openFiles: one(files.length - 1) }),
    ...(mostFiles !== undefined && { mostFiles: one(mostFiles) }),
    lag: lagOf(worker),
  };
}

function lagOf(worker: string): readonly Figure[] {
  if (delays === null) {
    delays = monitorEventLoopDelay({ resolution: RESOLUTION });
    delays.enable();
    return [];
  }
  // What it measures is the time between two turns of its own clock.
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION / 1000);
  const figures =
    delays.count === 0
      ? []
      : [
          { labels: [worker, "0.5"], value: seconds(delays.percentile(50)) },
          { labels: [worker, "0.99"], value: seconds(delays.percentile(99)) },
          { labels: [worker, "1"], value: seconds(delays.max) },
        ];
  delays.reset();
  return figures;
}

/** The soft limit; undefined where this system does not say. */
function readMostFiles(): number | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
