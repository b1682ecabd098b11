/**
 * Figures as Prometheus reads them: in its own text format, or in OpenMetrics, whichever a scraper prefers.
 *
 * prom-client writes both; it is given what was counted elsewhere, and knows nothing between two scrapes.
 */
import type { MetricValueWithName } from "prom-client";
import { type Figure, type Figures, type familyOf, inOrder } from "../bridge/figures.ts";
import type { Buckets } from "../observe/histogram.ts";

type Family = ReturnType<typeof familyOf>;
type Value = MetricValueWithName<string>;

const TYPES = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
} as const;

/** What a scraper wants, by its Accept: OpenMetrics where it names that at all and not as the lesser choice. */
export function formatFor(accept = ""): keyof typeof TYPES {
  const weights = new Map(
    accept.split(",").map((entry) => {
      const [type = "", ...parameters] = entry.split(";").map((part) => part.trim().toLowerCase());
      const q = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
      return [type, q === undefined ? 1 : Number(q) || 0];
    }),
  );
  const open = weights.get("application/openmetrics-text") ?? 0;
  return open > 0 && open >= (weights.get("text/plain") ?? 0) ? "openmetrics" : "prometheus";
}

/** The text, and its media type. */
export async function exposition(
  figures: Figures,
  format: keyof typeof TYPES,
): Promise<{ readonly text: string; readonly type: string }> {
  const { Registry } = await import("prom-client");
  const type = TYPES[format];
  const registry = new Registry();
  // By its types that is another class of registry; by its code it is this one.
  registry.setContentType(type as never);
  for (const [family, own] of inOrder(figures)) {
    const { name, help, type } = family;
    const values = own.flatMap((figure) => valuesOf(family, figure));
    // Of a metric it asks no more than this; the classes that it brings count by themselves.
    const metric = { name, help, type, get: async () => ({ name: metric.name, help, type, values }) };
    registry.registerMetric(metric as never);
  }
  return { text: await registry.metrics(), type };
}

function valuesOf(family: Family, { labels, value }: Figure): readonly Value[] {
  const named = Object.fromEntries(family.labels.map((name, at) => [name, labels[at] ?? ""]));
  if (typeof value !== "number") return bucketValues(family, named, value);
  // For a counter, prom-client makes the name of the sample itself.
  return [{ labels: named, value } as Value];
}

/** Each bucket holds all that is no longer than its end. */
function bucketValues({ name, ends = [] }: Family, labels: Record<string, string>, { counts, sum }: Buckets) {
  let count = 0;
  const buckets = counts.map((own, at) => {
    count += own;
    return {
      metricName: `${name}_bucket`,
      labels: { ...labels, le: at < ends.length ? ends[at]! : "+Inf" },
      value: count,
    };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ] as readonly Value[];
}
