/**
 * Whether descriptors and memory stay as they are, of the supervisor and of the workers together.
 *
 * Looked at once a second. Of the time after warm-up the second half is held against the first, by the lower quartile of
 * each: a moment's need passes, what is lost stays. Workers are looked at only when both have run for some seconds. They are
 * killed and begin anew, so that what they use goes by their age: with few looks that says nothing, and nothing is judged.
 */
import { descriptorsOf, memoryOf } from "../bench/usage.ts";
import type { Bridge } from "./bridge.ts";
import type { Wrong } from "./checker.ts";

/** The part of a run that is left out: code is compiled, the heap finds its size. */
const WARM_UP = 0.2;
/** Seconds after which a worker is what it will be. */
const GROWN_UP = 4;
/** Looks in each half from which on ages are alike. */
const ENOUGH = 60;

/** What may come on top without being a loss: a part, and as much as passes by chance. */
const NOISE = {
  "supervisor's descriptors": { part: 0, floor: 2 },
  "workers' descriptors": { part: 0.1, floor: 10 },
  "supervisor's memory": { part: 0.2, floor: 20 },
  "workers' memory": { part: 0.2, floor: 40 },
} as const;

type Measure = keyof typeof NOISE;

interface Sample {
  readonly at: number;
  readonly values: Partial<Record<Measure, number>>;
}

export class Flatness {
  readonly #bridge: Bridge;
  readonly #samples: Sample[] = [];
  readonly #seen = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Of each measure: the first half against the second, for the report. */
  judge(): { wrongs: Wrong[]; report: string[] } {
    const wrongs: Wrong[] = [];
    const report: string[] = [];
    for (const measure of Object.keys(NOISE) as Measure[]) {
      const values = this.#samples.flatMap(({ values }) => values[measure] ?? []);
      const warm = values.slice(Math.floor(values.length * WARM_UP));
      const half = warm.length >> 1;
      const before = lowerQuartile(warm.slice(0, half));
      const after = lowerQuartile(warm.slice(half));
      const { part, floor } = NOISE[measure];
      const unit = measure.endsWith("memory") ? " MB" : "";
      const detail = `${measure}: ${before.toFixed(0)}${unit}, then ${after.toFixed(0)}${unit}`;
      if (measure.startsWith("workers'") && half < ENOUGH) {
        report.push(`${detail} (${half} looks each, too few to judge)`);
        continue;
      }
      report.push(detail);
      if (after > before + Math.max(before * part, floor)) wrongs.push({ what: "not flat", detail });
    }
    return { wrongs, report };
  }

  #look(): void {
    const at = Date.now();
    const { pid } = this.#bridge;
    const workers = this.#bridge.workers();
    for (const worker of workers) if (!this.#seen.has(worker)) this.#seen.set(worker, at);
    const grownUp = workers.filter((worker) => at - this.#seen.get(worker)! > GROWN_UP * 1000);
    const sum = (of: (pid: number) => number) => workers.reduce((total, worker) => total + of(worker), 0);
    this.#samples.push({
      at,
      values: {
        "supervisor's descriptors": descriptorsOf(pid),
        "supervisor's memory": memoryOf(pid),
        ...(grownUp.length === 2 &&
          workers.length === 2 && {
            "workers' descriptors": sum(descriptorsOf),
            "workers' memory": sum(memoryOf),
          }),
      },
    });
  }
}

function lowerQuartile(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 2] ?? 0;
}
