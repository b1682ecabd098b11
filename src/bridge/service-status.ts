/** How one service stands: mode, circuits, calls, cache, and what Postfix is answered when it has no answer. */

import { answerTo } from "../config/on-failure.ts";
import type { Service } from "../decision/service.ts";
import type { Cause } from "../model/failure.ts";
import { LATE, within } from "../time/within.ts";
import type { DiscoveryReport } from "../upstream/discovery.ts";
import type { UpstreamReport } from "../upstream/upstream.ts";
import type { Activity } from "./activity.ts";
import type { OfflineSwitch } from "./offline.ts";
import type { CacheStatus, CircuitStatus, ServiceMode, ServiceStatus, TokenStatus } from "./status.ts";

export interface Running {
  readonly offline: OfflineSwitch;
  readonly activity: Activity;
  readonly mask: (text: string) => string;
}

/** What a store may take to count its entries, in milliseconds. */
const COUNT_TIME = 1000;

export function modeOf(name: string, offline: OfflineSwitch): ServiceMode {
  const state = offline.state(name);
  if (state === undefined) return { name, mode: "online", offline: null };
  if (state.reason !== "by_hand") return { name, mode: "offline", offline: state };
  const { reason, since, until, by } = state;
  return {
    name,
    mode: "offline",
    offline: { reason, since: rfc3339(since), until: until === null ? null : rfc3339(until), by },
  };
}

export async function serviceStatus(service: Service, running: Running): Promise<ServiceStatus> {
  const { offline, activity, mask } = running;
  const { name, mapping, upstream } = service;
  const mode = modeOf(name, offline);
  const { circuits, inFlight, waiting, limit } = upstream.report;
  const { answeredAt, failure } = activity.of(name);
  const trouble = troubleOf(circuits, answeredAt, failure?.at);
  const cause =
    mode.mode === "offline" ? "offline" : trouble === "circuits" ? "circuit_open" : failure?.cause;
  const answersDefault = mode.mode === "offline" || trouble === "circuits" || trouble === "failing";
  return {
    ...mode,
    mapping: mapping.name,
    trouble,
    circuits: circuits.map(({ url, state, openSince, lastFailure, discovery }) => ({
      url: mask(url),
      state,
      open_since: openSince === null ? null : rfc3339(openSince),
      last_failure: lastFailure === "" ? null : mask(lastFailure),
      ...(discovery && { discovery: discoveryStatus(discovery, mask) }),
    })),
    in_flight: inFlight,
    waiting,
    max_in_flight: limit,
    answered: answeredAt === null ? null : rfc3339(answeredAt),
    failure: failure && { at: rfc3339(failure.at), cause: failure.cause, detail: mask(failure.detail) },
    ...(answersDefault && cause !== undefined && { default_action: defaultAction(service, cause) }),
    cache: await cacheStatus(service),
    ...(service.credentials.token !== null && {
      token: tokenStatus(service.credentials.token, running, name),
    }),
  };
}

function tokenStatus(
  { from, remaining }: NonNullable<Service["credentials"]["token"]>,
  { activity, mask }: Running,
  service: string,
): TokenStatus {
  const { fetched, failed, failure } = activity.tokensOf(service);
  const ends = remaining > 0 && Number.isFinite(remaining);
  return {
    from,
    until: ends ? rfc3339(Date.now() + remaining) : null,
    there: remaining > 0,
    fetched,
    failed,
    failure: failure && { at: rfc3339(failure.at), cause: failure.cause, detail: mask(failure.detail) },
  };
}

function discoveryStatus(
  { readAt, failure, ...report }: DiscoveryReport,
  mask: (text: string) => string,
): NonNullable<CircuitStatus["discovery"]> {
  return {
    ...report,
    read: readAt === null ? null : rfc3339(readAt),
    failure: failure === null ? null : mask(failure),
  };
}

/** As on_failure of the service says; a route may have its own. */
function defaultAction({ onFailure }: Service, cause: Cause): string | null {
  return answerTo(onFailure, { cause }, null);
}

function troubleOf(
  circuits: UpstreamReport["circuits"],
  answeredAt: number | null,
  failedAt: number | undefined,
): ServiceStatus["trouble"] {
  const open = circuits.filter(({ state }) => state !== "closed").length;
  if (open > 0 && open === circuits.length) return "circuits";
  if (failedAt !== undefined && failedAt > (answeredAt ?? 0)) return "failing";
  return open > 0 ? "some_circuits" : null;
}

/** How the store of a service's remembered decisions stands; null where nothing is remembered. */
export async function cacheStatus({ cache }: Service): Promise<CacheStatus | null> {
  if (cache === null) return null;
  const { store, counters } = cache;
  const entries = await within(
    COUNT_TIME,
    store.count().catch(() => null),
  );
  const { hits, stale, misses } = counters;
  return { store: store.kind, entries: entries === LATE ? null : entries, hits, stale, misses };
}

function rfc3339(time: number): string {
  return new Date(time).toISOString();
}
