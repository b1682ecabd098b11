/**
 * What has been decided since the start, in numbers, and how each service was doing when it was last asked: what an
 * administrator wants to see during an outage. Outlives a reload; costs a decision next to nothing.
 */

import type { Decision, Source } from "../model/decision.ts";
import type { Cause, Failure } from "../model/failure.ts";
import { ServiceCounts } from "./service-counts.ts";

/** Of the tokens that a service's calls show. */
export interface TokenActivity {
  fetched: number;
  failed: number;
  /** The last attempt that failed. */
  failure: { readonly at: number; readonly cause: Cause; readonly detail: string } | null;
}

/** With these no call was made: they say nothing new of the service. */
const UNASKED: ReadonlySet<Cause> = new Set(["offline", "circuit_open", "mapping_error"]);

export class Activity {
  readonly decisions: Record<Source, number> = { upstream: 0, cache: 0, stale: 0, route: 0, default: 0 };
  /** Of decisions that no service had a part in. */
  readonly routes = new ServiceCounts();
  readonly #services = new Map<string, ServiceCounts>();
  readonly #tokens = new Map<string, TokenActivity>();

  /** Of one service; all is null and nought where nothing is known yet. */
  of(service: string): ServiceCounts {
    let counts = this.#services.get(service);
    if (counts === undefined) {
      counts = new ServiceCounts();
      this.#services.set(service, counts);
    }
    return counts;
  }

  /** All that have been asked for, by name. */
  get services(): ReadonlyMap<string, ServiceCounts> {
    return this.#services;
  }

  /** A token was fetched for a service's calls, or why it was not. */
  renewed(service: string, failure: Pick<Failure, "cause" | "detail"> | null, now: number): void {
    const activity = this.tokensOf(service);
    if (failure === null) {
      activity.fetched++;
    } else {
      activity.failed++;
      activity.failure = { at: now, ...failure };
    }
  }

  tokensOf(service: string): TokenActivity {
    let activity = this.#tokens.get(service);
    if (activity === undefined) {
      activity = { fetched: 0, failed: 0, failure: null };
      this.#tokens.set(service, activity);
    }
    return activity;
  }

  /**
   * @param now milliseconds since 1970
   * @param milliseconds that it took
   */
  record(decision: Decision, now: number, milliseconds: number): void {
    const { source, service, cause, detail = "" } = decision;
    this.decisions[source]++;
    const counts = service === undefined ? this.routes : this.of(service);
    counts.record(decision, milliseconds);
    if (service === undefined || source === "cache") return;
    if (source === "upstream") counts.answeredAt = now;
    else if (cause !== undefined && !UNASKED.has(cause)) counts.failure = { at: now, cause, detail };
  }
}
