/** One line of the table: what is measured, what is to be reached, and how it is found out. */
import type { Child } from "./child.ts";
import type { DirectLoad, Measured, PolicyLoad } from "./measurement.ts";
import type { PermittingService } from "./nginx.ts";

/** What all lines measure with. */
export interface Bench {
  readonly service: PermittingService;
  /** Load on a policy service. */
  readonly load: (load: PolicyLoad) => Promise<Measured>;
  /** undici's `dispatch` alone. */
  readonly direct: (load: DirectLoad) => Promise<Measured>;
  /** How often each of two or more things is measured, in turn. */
  readonly rounds: number;
  /** Seconds of each measurement. */
  readonly seconds: number;
  /** Seconds before it. */
  readonly warmup: number;
  /** Seconds of an overload. */
  readonly overload: number;
}

export interface Figure {
  readonly figure: string;
  readonly met: boolean;
  /** For ratios alone: the part of the goal that was reached; 1 is met. */
  readonly reached?: number;
  /** What else was seen. */
  readonly note: string;
}

export interface Line {
  readonly name: string;
  readonly what: string;
  readonly goal: string;
  run(bench: Bench): Promise<Figure>;
}

/** Measures each in turn, as often as there are rounds: A B A B … */
export async function inTurn<K extends string>(
  rounds: number,
  measure: Readonly<Record<K, () => Promise<Measured>>>,
): Promise<Record<K, Measured[]>> {
  const names = Object.keys(measure) as K[];
  const all = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, Measured[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) all[name].push(await measure[name]());
  }
  return all;
}

/** Something that is stopped when a line is done with it. */
export async function using<S extends { stop(): unknown }, R>(
  started: Promise<S> | S,
  work: (started: S) => Promise<R>,
): Promise<R> {
  const one = await started;
  try {
    return await work(one);
  } finally {
    await one.stop();
  }
}

/** A server of the bench's own, with its origin. */
export async function serving<R>(
  child: Child,
  work: (origin: string, port: number) => Promise<R>,
): Promise<R> {
  return using(child, async () => {
    const port = await child.port();
    return work(`http://127.0.0.1:${port}`, port);
  });
}
