/** What can be done to a running bridge, and what it says of itself: the contract between the endpoint and the bridge. */

import type { LoadCounts } from "../bridge/bridge.ts";
import type { EngineStatus, ServiceMode } from "../bridge/status.ts";
import type { Met } from "../cache/forget.ts";
import type { DecisionQuery } from "../explain/query.ts";
import type { FoundDecisions } from "../explain/recent.ts";

/** What was asked for cannot be done; a sentence for the administrator. */
export interface Refusal {
  readonly problem: string;
}

export type ServiceNames = "all" | readonly string[];

export interface Controls {
  /** Takes secrets out of what is said. */
  mask(text: string): string;
  status(): Promise<Status>;
  /** Those of the last decisions that are asked for, newest first; secrets are masked. */
  decisions(query: DecisionQuery): Promise<FoundDecisions>;
  /** Switches services offline: for so many milliseconds, or until they are switched back. */
  offline(services: ServiceNames, forMs: number | null, by: string): Promise<Switching | Refusal>;
  online(services: ServiceNames, by: string): Promise<Switching | Refusal>;
  /**
   * Forgets decisions about requests with all of these attributes; of all services where none is named. With `dryRun`
   * nothing is forgotten.
   *
   * @returns what it met, or would meet
   */
  forget(
    service: string | undefined,
    attributes: Readonly<Record<string, string>>,
    by: string,
    dryRun: boolean,
  ): Promise<Met | Refusal>;
  /** Loads the configuration again; resolves when it is in use, or refused. */
  reload(by: string): Promise<ReloadOutcome | Refusal>;
  /** Remembered decisions as NDJSON, a line each. */
  exportCache(): AsyncIterable<string> | Refusal;
  /** Takes in lines of such an export. */
  loadCache(lines: AsyncIterable<string>): Promise<LoadCounts | Refusal>;
}

/** How the services concerned stand after a switch. */
export interface Switching {
  readonly services: readonly ServiceMode[];
  /** What the administrator should know: it will not outlast a restart, say. */
  readonly warning?: string;
}

/** What came of a reload. */
export interface ReloadOutcome {
  /** False: it was refused, and what was in use before still is. */
  readonly loaded: boolean;
  /** RFC 3339 in UTC. */
  readonly at: string;
  /** As `pfxbridge check` prints them: why it was refused; of one that is in use, its warnings. */
  readonly problems: readonly string[];
}

/** The last reload, by a signal or a command. */
export interface LastReload extends ReloadOutcome {
  /** Since when the configuration in use has been older than its file: the first refusal after the last that was loaded. */
  readonly refused_since: string | null;
}

export interface Status extends EngineStatus {
  /** Null: there has been none since the start. */
  readonly reload: LastReload | null;

  readonly version: string;
  readonly pid: number;
  readonly started: string;
  readonly uptime_s: number;
  readonly config: string;
}
