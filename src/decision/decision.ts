/** What the bridge answers to one policy request, and what the log says of how it came about. */
import type { Cause } from "../upstream/failure.ts";

/** Where an action came from. */
export type Source = "upstream" | "cache" | "stale" | "route" | "default";

export interface Decision {
  /** For Postfix; null closes the connection without a reply (on_failure `postfix-default`). */
  readonly action: string | null;
  readonly source: Source;
  readonly service?: string;
  readonly mapping?: string;
  /** Why there was no answer; with the sources `default` and `stale`. */
  readonly cause?: Cause;
  /** What went wrong, for the log. */
  readonly detail?: string;
  /** Which rule of the mapping gave the action, from 1; 0 for a module's. */
  readonly rule?: number;
  /** Status of the last complete reply. */
  readonly status?: number;
  /** Calls made. */
  readonly attempts: number;
  /** Age of the remembered reply in seconds; with the sources `cache` and `stale`. */
  readonly age?: number;
}
