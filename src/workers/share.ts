/** A worker's share of a configuration, so that services see of all workers together what the configuration says. */
import type { Config, ServiceConfig } from "../config/config.ts";
import type { Share } from "./messages.ts";

/** The configuration as one of several workers uses it. */
export function shareOf(config: Config, share: Share): Config {
  const services = new Map(
    [...config.services].map(([name, service]) => [name, serviceShare(service, share)]),
  );
  return { ...config, services };
}

function serviceShare(service: ServiceConfig, share: Share): ServiceConfig {
  const { maxInFlight, warm } = service;
  return {
    ...service,
    maxInFlight: maxInFlight === "auto" ? maxInFlight : part(maxInFlight, share),
    warm: share.place === 0 || isOwn(service) ? warm : [],
  };
}

/** Whether each worker remembers for itself what the service says. */
function isOwn({ cache }: ServiceConfig): boolean {
  return cache?.store.kind === "memory";
}

/** At least one: who may make no call at all could not answer. */
function part(whole: number, { place, of }: Share): number {
  return Math.max(1, Math.floor(whole / of) + (place < whole % of ? 1 : 0));
}
