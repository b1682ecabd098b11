/** How a bridge and its services stand, as it is told to people and to monitoring. */
import type { Cause } from "../model/failure.ts";
import type { ListenerReport } from "../postfix/listener-set.ts";
import type { OfflineReason, Switched } from "./offline.ts";

/** Times in statuses are RFC 3339 in UTC. */
export interface ServiceMode {
  readonly name: string;
  readonly mode: "online" | "offline";
  /** What keeps it offline; with `by_hand`: since when, until when (null: until switched back), by whom. */
  readonly offline: {
    readonly reason: OfflineReason;
    readonly since?: string;
    readonly until?: string | null;
    readonly by?: Switched["by"];
  } | null;
}

export interface ServiceStatus extends ServiceMode {
  readonly mapping: string;
  /** `circuits`: no URL is called any more; `some_circuits`; `failing`: the last call failed. */
  readonly trouble: "circuits" | "some_circuits" | "failing" | null;
  readonly circuits: readonly CircuitStatus[];
  readonly in_flight: number;
  readonly waiting: number;
  readonly max_in_flight: number;
  /** When the service itself last gave an answer. */
  readonly answered: string | null;
  readonly failure: { readonly at: string; readonly cause: Cause; readonly detail: string } | null;
  /** What on_failure answers now where nothing is remembered; null: the connection is closed. Absent: all is well. */
  readonly default_action?: string | null;
  readonly cache: CacheStatus | null;
  /** Absent: its calls show no token that is fetched. */
  readonly token?: TokenStatus;
}

export interface TokenStatus {
  readonly from: string;
  /** Until when it is shown; null: there is none now, or one that is good until it is refused. */
  readonly until: string | null;
  readonly there: boolean;
  readonly fetched: number;
  readonly failed: number;
  /** The last attempt that failed. */
  readonly failure: { readonly at: string; readonly cause: Cause; readonly detail: string } | null;
}

export interface CircuitStatus {
  readonly url: string;
  readonly state: "closed" | "open" | "half-open";
  readonly open_since: string | null;
  readonly last_failure: string | null;
  /** With `discover`: where it is asked (null: not known, or none), by which document, read when, and why not since. */
  readonly discovery?: {
    readonly address: string;
    readonly evaluation: string | null;
    readonly evaluations: string | null;
    readonly read: string | null;
    readonly failure: string | null;
  };
  /** Each worker has a circuit of its own; this is the worst, and so many of how many are in the same state. */
  readonly workers?: number;
  readonly of_workers?: number;
}

export interface CacheStatus {
  readonly store: string;
  /** Null where the store did not say in time. */
  readonly entries: number | null;
  readonly hits: number;
  readonly stale: number;
  readonly misses: number;
}

/** What answers requests, and how it stands. Counts are since the start; those of a worker begin anew with it. */
export interface EngineStatus {
  readonly listeners: readonly ListenerReport[];
  readonly services: readonly ServiceStatus[];
  /** What a store of remembered decisions complained of last; the log has the details. */
  readonly store_complaint: { readonly at: string; readonly message: string } | null;
  /** By source. */
  readonly decisions: Readonly<Record<string, number>>;
  /** Absent: there is one process. `answers`: it has told how it stands. */
  readonly workers?: readonly {
    readonly pid: number;
    readonly connections: number;
    readonly answers: boolean;
  }[];
}
