/** File descriptors that a configuration needs beside those of clients. */
import type { Config, ServiceConfig } from "../config/config.ts";

/** What `max_in_flight: auto` may find at most. */
const MOST_BY_ITSELF = 1000;
/** A store on disk has a few files, one elsewhere a few connections. */
const STORE = 8;

/** With as many calls under way as are allowed. */
export function descriptorsForCalls({ services }: Config): number {
  return [...services.values()].reduce((sum, service) => sum + forService(service), 0);
}

function forService({ maxInFlight, cache }: ServiceConfig): number {
  const calls = maxInFlight === "auto" ? MOST_BY_ITSELF : maxInFlight;
  return calls + (cache === undefined || cache.store.kind === "memory" ? 0 : STORE);
}
