/**
 * What has been decided since the start, in numbers, and how each service was doing when it was last asked: what an
 * administrator wants to see during an outage. Outlives a reload; costs a decision next to nothing.
 */

import type { Decision, Source } from "../model/decision.ts";
import type { Cause } from "../model/failure.ts";

/** Times are in milliseconds since 1970. */
export interface ServiceActivity {
  /** When the service itself last gave an answer; null: not since the start. */
  answeredAt: number | null;
  /** The last time that it gave none although it was asked. */
  failure: { readonly at: number; readonly cause: Cause; readonly detail: string } | null;
}

/** With these no call was made: they say nothing new of the service. */
const UNASKED: ReadonlySet<Cause> = new Set(["offline", "circuit_open", "mapping_error"]);

export class Activity {
  readonly decisions: Record<Source, number> = { upstream: 0, cache: 0, stale: 0, route: 0, default: 0 };
  readonly #services = new Map<string, ServiceActivity>();

  /** Of one service; all is null where nothing is known yet. */
  of(service: string): ServiceActivity {
    let activity = this.#services.get(service);
    if (activity === undefined) {
      activity = { answeredAt: null, failure: null };
      this.#services.set(service, activity);
    }
    return activity;
  }

  /** @param now milliseconds since 1970 */
  record(decision: Decision, now: number): void {
    const { source, service, cause, detail = "" } = decision;
    this.decisions[source]++;
    if (service === undefined || source === "cache") return;
    if (source === "upstream") this.of(service).answeredAt = now;
    else if (cause !== undefined && !UNASKED.has(cause))
      this.of(service).failure = { at: now, cause, detail };
  }
}
