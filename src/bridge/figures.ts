/**
 * The figures of a bridge, for monitoring: one table of what there is, and plain data that processes hand to each other and
 * add up. How they are written (Prometheus, OpenTelemetry) is told elsewhere.
 *
 * Labels hold names from the configuration, and words of a fixed list; never anything that came from mail or from a service.
 */
import { AGES, type Buckets, SECONDS } from "../observe/histogram.ts";

/** How the figures of several processes become one. */
type Merging = "sum" | "max" | "min";

interface Family {
  /** By Prometheus' conventions: the unit in the name, `_total` for what only grows. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Default: sum. */
  readonly merged?: Merging | ((labels: readonly string[]) => Merging);
  /** Of a histogram: upper ends. */
  readonly ends?: readonly number[];
}

const counter = (name: string, help: string, labels: readonly string[] = []): Family => ({
  name: `pfxbridge_${name}_total`,
  type: "counter",
  help,
  labels,
});
const gauge = (
  name: string,
  help: string,
  labels: readonly string[] = [],
  merged: NonNullable<Family["merged"]> = "sum",
): Family => ({ name: `pfxbridge_${name}`, type: "gauge", help, labels, merged });
const histogram = (
  name: string,
  help: string,
  labels: readonly string[],
  ends: readonly number[] = SECONDS,
): Family => ({ name: `pfxbridge_${name}_seconds`, type: "histogram", help, labels, ends });

/** All that there is; `worker` is empty for the process itself, and a worker's number else. */
const FAMILIES = {
  decisions: counter("decisions", "Policy requests decided, by where the action came from and its kind.", [
    "service",
    "source",
    "action",
  ]),
  failures: counter("failures", "Decisions for which a service had no answer, by cause.", [
    "service",
    "cause",
  ]),
  decisionDuration: histogram("decision_duration", "Time from a complete request to its answer.", [
    "service",
    "source",
  ]),
  attempts: counter(
    "upstream_attempts",
    "Attempts to ask a service: complete replies, and ends without one by cause.",
    ["service", "outcome"],
  ),
  upstreamDuration: histogram("upstream_duration", "Time of an attempt that brought a complete reply.", [
    "service",
  ]),
  circuits: gauge("circuit_state", "Processes whose circuit for this URL is in this state.", [
    "service",
    "url",
    "state",
  ]),
  inFlight: gauge("upstream_in_flight", "Calls under way.", ["service"]),
  waiting: gauge("upstream_waiting", "Calls that wait for others to end (max_in_flight).", ["service"]),
  limit: gauge("upstream_in_flight_limit", "Calls at once that are allowed now.", ["service"]),
  answered: gauge(
    "service_answered_timestamp_seconds",
    "When the service itself last gave an answer; absent: not since the start.",
    ["service"],
    "max",
  ),
  offline: gauge(
    "service_offline",
    "1 where no call is made to the service, by what keeps it offline.",
    ["service", "reason"],
    "max",
  ),
  offlineSince: gauge(
    "service_offline_since_timestamp_seconds",
    "Since when a service is switched offline by hand.",
    ["service"],
    "min",
  ),
  cacheLookups: counter("cache_lookups", "Looks for a remembered decision, by what was found.", [
    "service",
    "result",
  ]),
  cacheStored: counter("cache_stored", "Decisions that were remembered.", ["service"]),
  // What is in memory is each process's own; what is in a shared store all of them see.
  cacheEntries: gauge("cache_entries", "Decisions that are remembered.", ["service", "store"], ([, store]) =>
    store === "memory" ? "sum" : "max",
  ),
  cacheAge: histogram("cache_age", "Age of the remembered decisions that answered.", ["service"], AGES),
  storeComplaints: counter("store_complaints", "Complaints of the stores of remembered decisions."),
  renewals: counter("token_renewals", "Tokens fetched and sessions opened at a service's issuer.", [
    "service",
    "result",
  ]),
  certificates: gauge(
    "certificate_expiry_timestamp_seconds",
    "When a certificate expires: the client certificate and authority under tls, and the one of admin.",
    ["service", "certificate"],
    "min",
  ),
  connections: gauge("connections", "Connections of Postfix that are open.", ["listener"]),
  accepted: counter("connections_accepted", "Connections that were taken.", ["listener"]),
  refused: counter("connections_refused", "Connections that could not be taken; the log says why.", [
    "listener",
  ]),
  requests: counter("requests", "Policy requests that were complete.", ["listener"]),
  malformed: counter(
    "requests_malformed",
    "What came instead of a policy request; its connection was closed.",
    ["listener"],
  ),
  logDropped: counter("log_lines_dropped", "Lines of the log that could not be written."),
  reloads: counter("reloads", "Times that the configuration was to be loaded again.", ["result"]),
  reloadOk: gauge("last_reload_successful", "1 unless the last reload was refused.", [], "min"),
  loadedAt: gauge("config_loaded_timestamp_seconds", "When the configuration in use was loaded.", [], "min"),
  ready: gauge("ready", "1 when the configuration is loaded and the listeners are bound.", [], "min"),
  build: gauge("build_info", "1, with the version of the bridge and of Node.", ["version", "node"], "max"),
  workers: gauge("workers", "Worker processes, by whether they tell how they stand.", ["state"]),
  cpu: {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "Processor time, user and system.",
    labels: ["worker"],
  },
  memory: {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Resident memory.",
    labels: ["worker"],
  },
  startTime: {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "When the process began.",
    labels: ["worker"],
  },
  openFiles: { name: "process_open_fds", type: "gauge", help: "Open file descriptors.", labels: ["worker"] },
  mostFiles: {
    name: "process_max_fds",
    type: "gauge",
    help: "File descriptors that may be open.",
    labels: ["worker"],
  },
  lag: {
    name: "nodejs_eventloop_lag_seconds",
    type: "gauge",
    help: "How late the event loop comes to its next turn, since the last look: p50, p99 and the worst.",
    labels: ["worker", "quantile"],
  },
} as const satisfies Record<string, Family>;

export type FamilyName = keyof typeof FAMILIES;

/** One figure of a family: values of its labels, in their order. */
export interface Figure {
  readonly labels: readonly string[];
  readonly value: number | Buckets;
}

/** Plain, to be sent to another process; a family that has nothing to tell is left out. */
export type Figures = { readonly [name in FamilyName]?: readonly Figure[] };

/** What a family is like, whichever it is. */
export function familyOf(name: FamilyName): Family {
  return FAMILIES[name];
}

/** Figures in the order of the table. */
export function inOrder(figures: Figures): readonly (readonly [Family, readonly Figure[]])[] {
  return (Object.keys(FAMILIES) as FamilyName[]).flatMap((name) => {
    const own = figures[name] ?? [];
    return own.length === 0 ? [] : [[familyOf(name), own] as const];
  });
}

/** Adds several processes' figures up, each family in its own way. */
export function sumOfFigures(parts: readonly Figures[]): Figures {
  const sum: { [name in FamilyName]?: Figure[] } = {};
  for (const name of Object.keys(FAMILIES) as FamilyName[]) {
    const all = parts.flatMap((part) => part[name] ?? []);
    if (all.length > 0) sum[name] = merged(all, familyOf(name).merged ?? "sum");
  }
  return sum;
}

/** Of these figures alone what only grows, so that it can be kept when the process has gone. */
export function growing(figures: Figures): Figures {
  return Object.fromEntries(
    Object.entries(figures).filter(([name]) => familyOf(name as FamilyName).type !== "gauge"),
  );
}

function merged(figures: readonly Figure[], how: NonNullable<Family["merged"]>): Figure[] {
  const sums = new Map<string, Figure>();
  for (const figure of figures) {
    const key = JSON.stringify(figure.labels);
    const sum = sums.get(key);
    const merging = typeof how === "string" ? how : how(figure.labels);
    sums.set(key, sum === undefined ? figure : { labels: sum.labels, value: both(sum, figure, merging) });
  }
  return [...sums.values()];
}

function both({ value: a }: Figure, { value: b }: Figure, merging: Merging): Figure["value"] {
  if (typeof a !== "number" && typeof b !== "number") {
    return { counts: a.counts.map((count, at) => count + (b.counts[at] ?? 0)), sum: a.sum + b.sum };
  }
  const [one, other] = [Number(a), Number(b)];
  if (merging === "sum") return one + other;
  return merging === "max" ? Math.max(one, other) : Math.min(one, other);
}
