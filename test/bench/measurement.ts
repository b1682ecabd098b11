/** What the measuring processes are told and what they tell: plain data that crosses the channel between processes. */

/** How long, and how fast. */
export interface Pace {
  readonly connections: number;
  /** Seconds that are measured. */
  readonly seconds: number;
  /** Seconds before that, not measured. */
  readonly warmup: number;
  /**
   * Requests a second, over all connections, whether or not the ones before are answered (open loop); a request that
   * finds no connection free waits, and its waiting counts. Absent: each connection asks as soon as it is answered.
   */
  readonly rate?: number;
}

/** Policy requests to a policy service on 127.0.0.1. */
export interface PolicyLoad extends Pace {
  readonly port: number;
  /** How many senders there are; absent: each request has another. */
  readonly senders?: number;
  /** Connections beside these that say nothing. */
  readonly idle?: number;
  /** The process whose time and memory are read while it answers. */
  readonly pid: number;
}

/** Connections to a policy service on 127.0.0.1 that all begin at the same moment. */
export interface StormLoad {
  readonly port: number;
  readonly connections: number;
  /** Milliseconds after which it is given up. */
  readonly patience: number;
}

export interface Storm {
  /** When each connection had its first answer, in milliseconds from the beginning, the earliest first. */
  readonly first: readonly number[];
  /** Connections that had none. */
  readonly unanswered: number;
  /** All answers meanwhile. */
  readonly answers: number;
}

/** Calls by undici's `dispatch` and nothing else. */
export interface DirectLoad extends Pace {
  readonly origin: string;
}

export interface Measured {
  /** Replies a second. */
  readonly rate: number;
  /** Replies a second of processor time, of the busiest process where there are several: what one full core gives. */
  readonly coreRate: number;
  /** The part of a core that was busy. */
  readonly busy: number;
  /** Replies by their text, at most the first ten different ones. */
  readonly replies: Readonly<Record<string, number>>;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** Connections that ended by themselves. */
  readonly lost: number;
  /** Resident memory in MB, when the measuring began and when it ended. */
  readonly memory: readonly [begin: number, end: number];
}
