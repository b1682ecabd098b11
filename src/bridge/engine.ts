/** What answers policy requests, whatever the number of processes: the bridge in this one, or workers. */
import type { Met } from "../cache/forget.ts";
import type { Revocation } from "../cache/store.ts";
import type { Config } from "../config/config.ts";
import type { DecisionQuery } from "../explain/query.ts";
import type { FoundDecisions } from "../explain/recent.ts";
import type { Contents } from "../source/contents.ts";
import type { LoadCounts } from "./bridge.ts";
import type { Figures } from "./figures.ts";
import type { EngineStatus } from "./status.ts";

export interface Engine {
  /**
   * Makes a configuration ready to be used; nothing changes yet.
   *
   * @param contents of the files that it was read from
   * @throws ProblemError or Error where it cannot be used
   */
  prepare(config: Config, contents: Contents): Promise<Prepared>;
  /** Connections are counted, too, that were accepted for it. */
  status(): Promise<EngineStatus>;
  /** Those of the last decisions that are asked for, newest first, and how they came about. */
  decisions(query: DecisionQuery): Promise<FoundDecisions>;
  /** Opens the log anew in every process that writes to it by itself. */
  reopenLog(): Promise<void>;
  /** For monitoring: what was counted since the start, and how all stands now. */
  figures(): Promise<Figures>;
  /** Told when services were switched offline or online by hand; resolves when it holds everywhere. */
  switched(): Promise<void>;
  /**
   * Uses no reply any more that was remembered before and matches; with `dryRun` it is only counted.
   *
   * @throws Error when that is not sure
   */
  forget(revocation: Revocation, dryRun: boolean): Promise<Met>;
  /** Remembered decisions, a line of NDJSON each. */
  exportCache(): AsyncIterable<string>;
  loadCache(lines: AsyncIterable<string>): Promise<LoadCounts>;
  /**
   * Ends, when no further connection is accepted.
   *
   * @param graceMs milliseconds that answers in flight may take
   */
  close(graceMs: number): Promise<void>;
}

/** Exactly one of these is to be called. */
export interface Prepared {
  /** Requests are answered by it from now on; what is being decided is finished by the configuration before it. */
  use(): Promise<void>;
  /** It is not needed after all. */
  discard(): void;
}
