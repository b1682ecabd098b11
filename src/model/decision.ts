/** What the bridge answers to one policy request, and what the log says of how it came about. */
import type { Cause } from "./failure.ts";

/** Where an action came from. */
export const SOURCES = ["upstream", "cache", "stale", "route", "default"] as const;

export type Source = (typeof SOURCES)[number];

/** Every member is always there, so that all decisions have one shape: they are made and read for each request. */
export interface Decision {
  /** For Postfix; null closes the connection without a reply (on_failure `postfix-default`). */
  readonly action: string | null;
  readonly source: Source;
  readonly service: string | undefined;
  readonly mapping: string | undefined;
  /** Why there was no answer; with the sources `default` and `stale`. */
  readonly cause: Cause | undefined;
  /** What went wrong, for the log. */
  readonly detail: string | undefined;
  /** The beginning of a reply that no rule took, where it may name somebody: for those who look closely. */
  readonly said: string | undefined;
  /** Which rule of the mapping gave the action, from 1; 0 for a module's. */
  readonly rule: number | undefined;
  /** Status of the last complete reply. */
  readonly status: number | undefined;
  /** Calls made. */
  readonly attempts: number;
  /** Of the batch by which the service was asked for this and other requests, if it was: the X-Request-ID of that call. */
  readonly batchId: string | undefined;
  /** Age of the remembered reply in seconds; with the sources `cache` and `stale`. */
  readonly age: number | undefined;
}

/** The action that a rule gave. */
export interface Verdict {
  /** For Postfix: verb and text, known, allowed and on one line. */
  readonly action: string;
  /** Which rule, from 1; 0 for a module's. */
  readonly rule: number;
}
