/**
 * What is told to a collector of OpenTelemetry, where the environment names one; nothing is loaded where it does not.
 */
import type { Figures } from "../bridge/figures.ts";
import type { Tracer } from "../bridge/tracer.ts";
import { attribute } from "../model/request.ts";
import type { Log } from "../observe/log.ts";
import { type Environment, samplingOf, traceId } from "../upstream/trace-context.ts";

export interface Telemetry {
  /** To be told of decisions; null where nobody wants to hear of them. */
  readonly tracer: Tracer | null;
  /** Sends what still waits, for so many milliseconds at most; two seconds where nothing is said. */
  close(milliseconds?: number): Promise<void>;
}

const NOTHING: Telemetry = { tracer: null, close: async () => {} };
const ENDPOINTS = ["", "TRACES_", "METRICS_"].map((what) => `OTEL_EXPORTER_OTLP_${what}ENDPOINT`);

/** @param figures of this process and its workers; undefined where another tells them */
export async function openTelemetry(
  log: Log,
  version: string,
  figures?: () => Promise<Figures>,
  env: Environment = process.env,
): Promise<Telemetry> {
  if (env.OTEL_SDK_DISABLED === "true" || ENDPOINTS.every((name) => !env[name])) return NOTHING;
  const protocol = env.OTEL_EXPORTER_OTLP_PROTOCOL;
  if (protocol === "grpc") {
    log.warn(
      {},
      "OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not spoken here: OTLP goes out over HTTP as JSON, as a rule to port 4318",
    );
  }
  try {
    const [{ openSending }, { DecisionSpans }] = await Promise.all([
      import("./open-telemetry.ts"),
      import("./decision-spans.ts"),
    ]);
    const { write, close } = openSending({ log, version, env, figures });
    const isSampled = samplingOf(env);
    if (write === null) return { tracer: null, close };
    const tracer: Tracer = {
      begin: (request) =>
        isSampled(traceId(attribute(request, "instance"), request.id))
          ? new DecisionSpans(request, write)
          : undefined,
    };
    return { tracer, close };
  } catch (error) {
    log.error(
      { detail: (error as Error).message },
      "OpenTelemetry cannot be used; the bridge answers without it",
    );
    return NOTHING;
  }
}
