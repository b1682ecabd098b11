/**
 * What remembers replies: in memory, on disk (LMDB), or for a fleet (Redis). All of them have this face.
 *
 * A store serves the cache, never the other way round: what it cannot do costs a log line and the remembered
 * reply, never a decision. What a store gives may be old or revoked; whether it answers is the cache's business.
 */
import type { Verdict } from "../model/decision.ts";
import type { UpstreamReply } from "../model/exchange.ts";

/** A reply that was an answer by a rule, with what is needed to use it again. Times are in milliseconds since 1970. */
export interface Remembered {
  readonly service: string;
  readonly reply: UpstreamReply;
  /** When the decision that asked for it began. */
  readonly storedAt: number;
  /** Until then it answers without a call. */
  readonly freshUntil: number;
  /** Until then it answers when the service cannot (RFC 5861 §4); never before `freshUntil`. Then it is to be deleted. */
  readonly staleUntil: number;
  /** What the rules made of the reply, where they look at nothing else. Known in this process only: no store writes it. */
  readonly verdict?: Verdict;
  /** Of the policy request that led to the call: to ask again, to revoke, to export. */
  readonly asked: {
    readonly attributes: ReadonlyMap<string, string>;
    readonly listener: string;
    readonly recipients: readonly string[];
  };
}

/** Decisions that are to be forgotten: all that were remembered before `at` and match. */
export interface Revocation {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Of this service only; absent: of all. */
  readonly service?: string;
  /** Of policy requests with all of these attributes; empty: of all. */
  readonly attributes: Readonly<Record<string, string>>;
}

type StoreKind = "memory" | "lmdb" | "redis";

export interface Store {
  readonly kind: StoreKind;
  /** At once where the store is in the process or mapped into it. */
  get(key: string): Remembered | undefined | Promise<Remembered | undefined>;
  /** Replaces what stood there. Entries disappear by themselves some time after `staleUntil`. */
  set(key: string, entry: Remembered): void;
  delete(key: string): void;
  /** How many entries there are, about. */
  count(): Promise<number>;
  /** All entries, in no order; those that change meanwhile may be missed. */
  entries(): AsyncIterable<readonly [key: string, entry: Remembered]>;
  /** Makes a revocation known to everyone who shares the store, within a second, and to those who open it later. */
  revoke(revocation: Revocation): Promise<void>;
  /** Calls back with each revocation that others, or an earlier process, made; also for those that are known already. */
  onRevocation(listener: (revocation: Revocation) => void): void;
  /** Writes what still waits. */
  close(): Promise<void>;
}
