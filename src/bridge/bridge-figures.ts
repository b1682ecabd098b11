/** The figures of the bridge in this process: what was counted, and how all stands at this moment. */
import type { ServiceConfig } from "../config/config.ts";
import type { Service } from "../decision/service.ts";
import { SOURCES } from "../model/decision.ts";
import type { Cause } from "../model/failure.ts";
import { droppedLines } from "../observe/sink.ts";
import type { ListenerReport } from "../postfix/listener-set.ts";
import type { Activity } from "./activity.ts";
import { expiryOf } from "./certificates.ts";
import { type Figure, type Figures, sumOfFigures } from "./figures.ts";
import type { OfflineSwitch } from "./offline.ts";
import { ANSWERS, type ServiceCounts } from "./service-counts.ts";
import { cacheStatus } from "./service-status.ts";

const STATES = ["closed", "open", "half-open"] as const;
const REASONS = ["by_hand", "configuration", "command_line"] as const;

export interface Counted {
  readonly activity: Activity;
  /** Of the configuration in use. */
  readonly services: readonly Service[];
  readonly configs: readonly ServiceConfig[];
  readonly listeners: readonly ListenerReport[];
  readonly offline: OfflineSwitch;
  /** Of the stores. */
  readonly complaints: number;
  readonly mask: (text: string) => string;
}

export async function bridgeFigures(counted: Counted): Promise<Figures> {
  const { activity, services, configs, listeners, offline, complaints, mask } = counted;
  return sumOfFigures([
    ...[...activity.services].map(([name, counts]) => figuresOfCounts(name, counts)),
    figuresOfDecisions("", activity.routes),
    ...services.map((service) => figuresOfService(service, offline, mask)),
    ...(await Promise.all(services.map(cacheEntries))),
    ...(await Promise.all(configs.map(figuresOfCertificates))),
    listenerFigures(listeners),
    {
      storeComplaints: [{ labels: [], value: complaints }],
      logDropped: [{ labels: [], value: droppedLines() }],
    },
  ]);
}

/** What only this process knows where others answer. */
export function listenerFigures(listeners: readonly ListenerReport[]): Figures {
  const each = (key: keyof ListenerReport): readonly Figure[] =>
    listeners.map((listener) => ({ labels: [listener.name], value: Number(listener[key]) }));
  return {
    connections: each("connections"),
    accepted: each("accepted"),
    refused: each("refused"),
    requests: each("requests"),
    malformed: each("malformed"),
  };
}

function figuresOfCounts(service: string, counts: ServiceCounts): Figures {
  const { failures, attempts, cache, renewals, ages } = counts;
  const of = (labels: readonly string[], value: Figure["value"]): Figure => ({
    labels: [service, ...labels],
    value,
  });
  const each = (record: Readonly<Record<string, number>>) =>
    Object.entries(record).map(([name, count]) => of([name], count));
  const { hits, stale, misses } = cache;
  const remembers = hits + stale + misses + cache.stored > 0;
  return {
    ...figuresOfDecisions(service, counts),
    failures: each(failures satisfies Record<Cause, number>),
    attempts: each(attempts.outcomes),
    upstreamDuration: [of([], attempts.durations.buckets)],
    ...(remembers && {
      cacheLookups: [of(["hit"], hits), of(["stale"], stale), of(["miss"], misses)],
      cacheStored: [of([], cache.stored)],
      cacheAge: [of([], ages.buckets)],
    }),
    ...(renewals.ok + renewals.failed > 0 && { renewals: each(renewals) }),
    ...(counts.answeredAt !== null && { answered: [of([], counts.answeredAt / 1000)] }),
  };
}

/** Those that have happened: most pairs of a source and a kind of answer never do. */
function figuresOfDecisions(service: string, { decisions, durations }: ServiceCounts): Figures {
  return {
    decisions: decisions.flatMap((value, at) => {
      const source = SOURCES[Math.floor(at / ANSWERS.length)]!;
      const action = ANSWERS[at % ANSWERS.length]!;
      return value === 0 ? [] : [{ labels: [service, source, action], value }];
    }),
    decisionDuration: durations.flatMap(({ buckets }, at) =>
      buckets.counts.every((count) => count === 0)
        ? []
        : [{ labels: [service, SOURCES[at]!], value: buckets }],
    ),
  };
}

function figuresOfService(
  { name, upstream }: Service,
  offline: OfflineSwitch,
  mask: Counted["mask"],
): Figures {
  const { circuits, inFlight, waiting, limit } = upstream.report;
  const own = (value: number): readonly Figure[] => [{ labels: [name], value }];
  const state = offline.state(name);
  return {
    circuits: circuits.flatMap((circuit) =>
      STATES.map((state) => ({
        labels: [name, mask(circuit.url), state],
        value: circuit.state === state ? 1 : 0,
      })),
    ),
    inFlight: own(inFlight),
    waiting: own(waiting),
    limit: own(limit),
    offline: REASONS.map((reason) => ({ labels: [name, reason], value: state?.reason === reason ? 1 : 0 })),
    ...(state?.reason === "by_hand" && { offlineSince: own(state.since / 1000) }),
  };
}

async function cacheEntries(service: Service): Promise<Figures> {
  const cache = await cacheStatus(service);
  if (cache === null || cache.entries === null) return {};
  return { cacheEntries: [{ labels: [service.name, cache.store], value: cache.entries }] };
}

async function figuresOfCertificates({ name, tls }: ServiceConfig): Promise<Figures> {
  const ends = await Promise.all(
    (["client", "ca"] as const).map(async (kind) => {
      const file = kind === "client" ? tls.cert : tls.ca;
      const time = file === undefined ? undefined : await expiryOf(file, kind);
      return time === undefined ? [] : [{ labels: [name, kind], value: time }];
    }),
  );
  return { certificates: ends.flat() };
}
