/**
 * What has been decided since the start, in numbers, and how each service was doing when it was last asked: what an
 * administrator wants to see during an outage. Outlives a reload; costs a decision next to nothing.
 */

import type { Decision, Source } from "../model/decision.ts";
import type { Cause } from "../model/failure.ts";
import { ServiceCounts } from "./service-counts.ts";

/** With these no call was made: they say nothing new of the service. */
const UNASKED: ReadonlySet<Cause> = new Set(["offline", "circuit_open", "mapping_error"]);

export class Activity {
  readonly decisions: Record<Source, number> = { upstream: 0, cache: 0, stale: 0, route: 0, default: 0 };
  /** Of decisions that no service had a part in. */
  readonly routes = new ServiceCounts();
  readonly #services = new Map<string, ServiceCounts>();

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
