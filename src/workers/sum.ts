/**
 * How the bridge stands, from how each of its workers stands: counts are added up, of what differs the worst is shown,
 * with how many workers see it so.
 */
import type {
  CacheStatus,
  CircuitStatus,
  EngineStatus,
  ServiceStatus,
  TokenStatus,
} from "../bridge/status.ts";
import type { ListenerReport } from "../postfix/listener-set.ts";

/** @param listeners those that are bound, in this order; others follow while they have connections */
export function sumOf(parts: readonly EngineStatus[], listeners: readonly ListenerReport[]): EngineStatus {
  const decisions: Record<string, number> = {};
  for (const [source, count] of parts.flatMap((part) => Object.entries(part.decisions))) {
    decisions[source] = (decisions[source] ?? 0) + count;
  }
  return {
    listeners: sumOfListeners(parts, listeners),
    services: (parts[0]?.services ?? []).map(({ name }) =>
      sumOfService(parts.flatMap((part) => part.services.find((service) => service.name === name) ?? [])),
    ),
    store_complaint: latest(parts.map((part) => part.store_complaint)),
    decisions,
  };
}

function sumOfListeners(
  parts: readonly EngineStatus[],
  bound: readonly ListenerReport[],
): readonly ListenerReport[] {
  const sums = new Map(bound.map((listener) => [keyOf(listener), listener]));
  for (const listener of parts.flatMap((part) => part.listeners)) {
    const sum = sums.get(keyOf(listener));
    if (sum === undefined && listener.connections === 0) continue;
    sums.set(keyOf(listener), {
      ...listener,
      connections: (sum?.connections ?? 0) + listener.connections,
      requests: (sum?.requests ?? 0) + listener.requests,
      accepted: (sum?.accepted ?? 0) + listener.accepted,
      refused: (sum?.refused ?? 0) + listener.refused,
      malformed: (sum?.malformed ?? 0) + listener.malformed,
    });
  }
  return [...sums.values()];
}

function keyOf({ endpoint, name }: ListenerReport): string {
  return JSON.stringify([endpoint, name]);
}

/** @param parts at least one */
function sumOfService(parts: readonly ServiceStatus[]): ServiceStatus {
  const first = parts[0]!;
  const troubled = parts.filter(({ trouble }) => trouble !== null);
  const answered =
    latest(parts.map(({ answered }) => (answered === null ? null : { at: answered })))?.at ?? null;
  const withDefault = parts.find((part) => part.default_action !== undefined);
  return {
    ...first,
    trouble: troubleOf(parts, troubled),
    circuits: first.circuits.map((_, index) => worst(parts.flatMap((part) => part.circuits[index] ?? []))),
    in_flight: added(parts, (part) => part.in_flight),
    waiting: added(parts, (part) => part.waiting),
    max_in_flight: added(parts, (part) => part.max_in_flight),
    answered,
    failure: latest(parts.map((part) => part.failure)),
    ...(withDefault !== undefined && { default_action: withDefault.default_action }),
    cache: sumOfCache(parts.flatMap((part) => part.cache ?? [])),
    ...sumOfTokens(parts.flatMap(({ token }) => token ?? [])),
  };
}

/** Each worker has a token of its own: of those that there are, the one that ends first. */
function sumOfTokens(parts: readonly TokenStatus[]): Pick<ServiceStatus, "token"> {
  const [first] = parts;
  if (first === undefined) return {};
  const there = parts.some((part) => part.there);
  return {
    token: {
      from: first.from,
      until: parts.flatMap(({ until }) => until ?? []).sort()[0] ?? null,
      there,
      fetched: added(parts, ({ fetched }) => fetched),
      failed: added(parts, ({ failed }) => failed),
      failure: latest(parts.map(({ failure }) => failure)),
    },
  };
}

function troubleOf(
  parts: readonly ServiceStatus[],
  troubled: readonly ServiceStatus[],
): ServiceStatus["trouble"] {
  const has = (trouble: ServiceStatus["trouble"]) => troubled.some((part) => part.trouble === trouble);
  if (troubled.length === parts.length && troubled.every(({ trouble }) => trouble === "circuits"))
    return "circuits";
  if (has("failing")) return "failing";
  return troubled.length > 0 ? "some_circuits" : null;
}

const BY_BADNESS = ["closed", "half-open", "open"];

function worst(circuits: readonly CircuitStatus[]): CircuitStatus {
  const [first] = [...circuits].sort((a, b) => BY_BADNESS.indexOf(b.state) - BY_BADNESS.indexOf(a.state));
  const alike = circuits.filter(({ state }) => state === first!.state);
  const open_since = alike.flatMap((circuit) => circuit.open_since ?? []).sort()[0] ?? null;
  return { ...first!, open_since, workers: alike.length, of_workers: circuits.length };
}

/** Entries of a shared store are seen by all; those in memory are each worker's own. */
function sumOfCache(parts: readonly CacheStatus[]): CacheStatus | null {
  const first = parts[0];
  if (first === undefined) return null;
  const counts = parts.flatMap(({ entries }) => entries ?? []);
  const own = first.store === "memory";
  const entries = own ? counts.reduce((sum, count) => sum + count, 0) : Math.max(...counts);
  return {
    store: first.store,
    entries: counts.length === 0 ? null : entries,
    hits: added(parts, ({ hits }) => hits),
    stale: added(parts, ({ stale }) => stale),
    misses: added(parts, ({ misses }) => misses),
  };
}

function added<T>(parts: readonly T[], count: (part: T) => number): number {
  return parts.reduce((sum, part) => sum + count(part), 0);
}

/** Times are RFC 3339 in UTC, and so sort as text. */
function latest<T extends { readonly at: string }>(times: readonly (T | null)[]): T | null {
  return times.reduce(
    (last, time) => (time !== null && (last === null || time.at > last.at) ? time : last),
    null,
  );
}
