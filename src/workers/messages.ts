/** What the supervisor and its workers say to each other: calls and their results, connections, and counts. */

import type { LoadCounts } from "../bridge/bridge.ts";
import type { Figures } from "../bridge/figures.ts";
import type { OfflineSnapshot } from "../bridge/offline.ts";
import type { EngineStatus } from "../bridge/status.ts";
import type { Met } from "../cache/forget.ts";
import type { Revocation } from "../cache/store.ts";
import type { DecisionQuery } from "../explain/query.ts";
import type { FoundDecisions } from "../explain/recent.ts";
import type { Handed } from "../postfix/policy-connections.ts";
import type { Contents } from "../source/contents.ts";
import type { Problem } from "../source/problem.ts";

/** A worker's place among the others. */
export interface Share {
  /** From 0. */
  readonly place: number;
  /** How many workers there are. */
  readonly of: number;
}

/** A configuration to be loaded. */
export interface Loading {
  readonly file: string;
  /** What its files held when the supervisor checked it. */
  readonly contents: Contents;
  readonly share: Share;
  /** `--offline`. */
  readonly offline: boolean;
  readonly switches: OfflineSnapshot;
}

/** What a worker can be asked to do: a parameter, and a result. */
export interface WorkerCalls {
  /** Makes a configuration ready; nothing changes yet. */
  prepare: [Loading, null];
  /** Uses what was prepared. */
  use: [null, null];
  discard: [null, null];
  /** What is switched offline by hand. */
  switch: [OfflineSnapshot, null];
  /** Opens the log file anew, of the configuration in use. */
  reopenLog: [null, null];
  status: [null, EngineStatus];
  decisions: [DecisionQuery, FoundDecisions];
  figures: [null, Figures];
  /** `own`: what it met in a shared store is counted, and deleted, by another worker. */
  forget: [{ readonly revocation: Revocation; readonly dryRun: boolean; readonly own: boolean }, Met];
  /** The next remembered decisions for a reader, or the first; at the end none. `own`: that no other worker has. */
  export: [{ readonly reader: number; readonly own: boolean }, readonly string[]];
  /** The reader has gone. */
  endExport: [number, null];
  load: [{ readonly lines: readonly string[]; readonly own: boolean }, LoadCounts];
  /** Ends when its last connection has ended. */
  retire: [null, null];
  /** Answers what is in flight, within so many milliseconds, and ends. */
  stop: [number, null];
}

export type Method = keyof WorkerCalls;

export interface Call {
  readonly call: number;
  readonly method: Method;
  readonly parameter: unknown;
}

/** A connection; its socket comes with it. */
export interface HandedOver extends Handed {
  readonly connection: ListenerPlace;
}

/** Whether it is there. */
export interface Ping {
  readonly ping: true;
}

export interface ListenerPlace {
  readonly endpoint: string;
  readonly name: string;
}

export type ToWorker = Call | HandedOver | Ping;

export type FromWorker =
  | { readonly call: number; readonly result: unknown }
  | { readonly call: number; readonly failed: string; readonly problems?: readonly Problem[] }
  /** It has the connection that was handed to it last. */
  | { readonly taken: true }
  | { readonly pong: true }
  /** How many of its connections have ended since it began. */
  | { readonly ended: number };
