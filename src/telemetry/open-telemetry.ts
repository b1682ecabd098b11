/**
 * Metrics and traces over OTLP (HTTP, JSON), where OTEL_EXPORTER_OTLP_ENDPOINT or one of its like is set; by OpenTelemetry's own packages,
 * which read the rest of the environment: OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME.
 *
 * They are loaded only then. What a collector does, or does not, costs no decision anything: spans wait in a queue of limited
 * length and are dropped beyond it, and the end waits no longer than two seconds.
 */
import { hostname } from "node:os";
import {
  type Attributes,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  ValueType,
} from "@opentelemetry/api";
import { setGlobalErrorHandler } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { type Figure, type Figures, inOrder } from "../bridge/figures.ts";
import type { Log } from "../observe/log.ts";
import { LATE, within } from "../time/within.ts";
import type { Environment } from "../upstream/trace-context.ts";
import type { SpanRecord } from "./decision-spans.ts";

export interface Sending {
  /** Takes the spans of a decision, that of the decision first; null where traces are not wanted. */
  readonly write: ((spans: readonly SpanRecord[]) => void) | null;
  /** Sends what still waits, for so many milliseconds at most. */
  close(milliseconds?: number): Promise<void>;
}

export interface SendingOptions {
  readonly log: Log;
  readonly version: string;
  readonly env: Environment;
  /** What is told as metrics; undefined: another process does that. */
  readonly figures: (() => Promise<Figures>) | undefined;
}

/** The end waits no longer, in milliseconds. */
const END_TIME = 2_000;
/** Figures that take longer are left out this time. */
const FIGURES_TIME = 5_000;
const METRICS_INTERVAL = 60_000;
/** Between two lines of the log about what could not be sent, in milliseconds. */
const COMPLAINT_INTERVAL = 60_000;
const SCOPE = "pfxbridge";

export function openSending({ log, version, env, figures }: SendingOptions): Sending {
  complainTo(log);
  const resource = resourceFromAttributes({
    "service.name": env.OTEL_SERVICE_NAME ?? "pfxbridge",
    "service.version": version,
    "service.instance.id": `${hostname()}:${process.pid}`,
    "host.name": hostname(),
  }).merge(detectResources({ detectors: [envDetector] }));
  const tracing = wants(env, "TRACES") ? openTracing(resource) : null;
  const metering =
    figures !== undefined && wants(env, "METRICS") ? openMetering(resource, env, figures) : null;
  return {
    write: tracing?.write ?? null,
    close: async (milliseconds = END_TIME) => {
      const closing = Promise.all([tracing?.close(), metering?.shutdown()]);
      await within(
        milliseconds,
        closing.catch(() => {}),
      );
    },
  };
}

function wants(env: Environment, what: "TRACES" | "METRICS"): boolean {
  const [endpoint, own] = [env.OTEL_EXPORTER_OTLP_ENDPOINT, env[`OTEL_EXPORTER_OTLP_${what}_ENDPOINT`]];
  return (
    (endpoint || own) !== undefined && (endpoint || own) !== "" && env[`OTEL_${what}_EXPORTER`] !== "none"
  );
}

function openTracing(resource: Resource) {
  // The ids are made of the message and the decision, not drawn by lot.
  let next = { trace: "", span: "" };
  const provider = new BasicTracerProvider({
    resource,
    sampler: new AlwaysOnSampler(),
    idGenerator: { generateTraceId: () => next.trace, generateSpanId: () => next.span },
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  const tracer = provider.getTracer(SCOPE);
  const write = (spans: readonly SpanRecord[]): void => {
    let parent = ROOT_CONTEXT;
    for (const record of spans) {
      next = { trace: record.trace, span: record.span };
      const kind = record.kind === "server" ? SpanKind.SERVER : SpanKind.CLIENT;
      const { start: startTime, attributes } = record;
      const span = tracer.startSpan(record.name, { kind, startTime, attributes }, parent);
      if (record.failed !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: record.failed });
      span.end(record.end);
      if (parent === ROOT_CONTEXT) parent = trace.setSpan(ROOT_CONTEXT, span);
    }
  };
  return { write, close: () => provider.shutdown() };
}

/** Figures as they stand are sent as they are; OpenTelemetry's own instruments would count a second time. */
function openMetering(resource: Resource, env: Environment, figures: () => Promise<Figures>): MeterProvider {
  const started = hrTime(Date.now());
  const collect = async () => {
    const all = await within(FIGURES_TIME, figures());
    const errors = all === LATE ? [new Error("the figures took too long")] : [];
    const now = hrTime(Date.now());
    const metrics =
      all === LATE ? [] : inOrder(all).map(([family, own]) => metricOf(family, own, started, now));
    return { resourceMetrics: { resource, scopeMetrics: [{ scope: { name: SCOPE }, metrics }] }, errors };
  };
  const interval = Number(env.OTEL_METRIC_EXPORT_INTERVAL) || METRICS_INTERVAL;
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis: interval,
    exportTimeoutMillis: Math.min(interval, Number(env.OTEL_METRIC_EXPORT_TIMEOUT) || interval),
    metricProducers: [{ collect }],
  });
  return new MeterProvider({ resource, readers: [reader] });
}

type Family = ReturnType<typeof inOrder>[number][0];
type Time = [number, number];

function metricOf(family: Family, figures: readonly Figure[], startTime: Time, endTime: Time): MetricData {
  const { name, help, type, labels, ends = [] } = family;
  const base = {
    descriptor: {
      name: name.replace(/_total$/, ""),
      description: help,
      unit: unitOf(name),
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const point = <T>(figure: Figure, value: T): DataPoint<T> => ({
    startTime,
    endTime,
    attributes: attributesOf(labels, figure.labels),
    value,
  });
  const numbers = () => figures.map((figure) => point(figure, Number(figure.value)));
  if (type === "counter") {
    return { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: numbers() };
  }
  if (type === "gauge") return { ...base, dataPointType: DataPointType.GAUGE, dataPoints: numbers() };
  const dataPoints = figures.flatMap((figure) =>
    typeof figure.value === "number" ? [] : [point(figure, histogramOf(ends, figure.value))],
  );
  return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints };
}

function histogramOf(
  ends: readonly number[],
  { counts, sum }: { counts: readonly number[]; sum: number },
): Histogram {
  const count = counts.reduce((all, one) => all + one, 0);
  return { buckets: { boundaries: [...ends], counts: [...counts] }, sum, count };
}

/** An empty label is none. */
function attributesOf(names: readonly string[], values: readonly string[]): Attributes {
  return Object.fromEntries(names.flatMap((name, at) => (values[at] ? [[name, values[at]]] : [])));
}

function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return "s";
  return name.endsWith("_bytes") ? "By" : "1";
}

function hrTime(milliseconds: number): Time {
  return [Math.floor(milliseconds / 1000), Math.floor((milliseconds % 1000) * 1e6)];
}

function complainTo(log: Log): void {
  let last = Number.NEGATIVE_INFINITY;
  let times = 0;
  setGlobalErrorHandler((error) => {
    times++;
    if (performance.now() - last < COMPLAINT_INTERVAL) return;
    last = performance.now();
    const detail = typeof error === "string" ? error : ((error as Error).message ?? String(error));
    log.warn(
      { detail, times },
      "metrics or traces could not be sent to OTEL_EXPORTER_OTLP_ENDPOINT; they are lost, nothing else is",
    );
    times = 0;
  });
}
