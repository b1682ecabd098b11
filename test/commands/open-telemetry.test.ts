/** What a collector of OpenTelemetry gets of the built command, and what it costs when it takes nothing. */
import { createServer, type Server } from "node:http";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { PolicyClient } from "../support/policy-client.ts";
import { AuthorizationService } from "../support/service.ts";
import { freePort } from "../support/temporary.ts";
import { Program, Site } from "./program.ts";

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number;
}
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Value }[];
}
interface Metric {
  readonly name: string;
  readonly sum?: {
    readonly dataPoints: readonly { readonly asDouble: number; readonly attributes: Span["attributes"] }[];
  };
  readonly histogram?: { readonly dataPoints: readonly { readonly count: number }[] };
}

/** An OTLP receiver, by HTTP in JSON; `hangs` takes all and answers nothing. */
async function collector(hangs = false) {
  const spans: Span[] = [];
  let metrics: Metric[] = [];
  const server: Server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    if (hangs) return;
    expect(request.headers["content-type"]).toBe("application/json");
    const body = JSON.parse(text);
    if (request.url === "/v1/traces") {
      for (const { scopeSpans } of body.resourceSpans)
        spans.push(...scopeSpans.flatMap((scope: { spans: Span[] }) => scope.spans));
    } else {
      for (const { scopeMetrics } of body.resourceMetrics) {
        metrics = scopeMetrics.flatMap((scope: { metrics: Metric[] }) => scope.metrics);
      }
    }
    response.setHeader("content-type", "application/json").end("{}");
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}`, spans, metrics: () => metrics };
}

async function serve(
  endpoint: string | undefined,
  own: object = {},
  env: Record<string, string> = {},
  workers = 1,
) {
  const service = await AuthorizationService.start(() => ({ body: { allowed: true } }));
  onTestFinished(() => service.stop());
  const port = await freePort();
  const site = await Site.create({
    "pfxbridge.yaml": {
      listen: [`inet:127.0.0.1:${port}`],
      services: { corp: { url: service.url, mapping: "./gate.yaml", ...own } },
      workers,
    },
    "gate.yaml": {
      request: { method: "POST", json: { recipient: "${recipient}" } },
      response: [{ when: "body.allowed", action: "DUNNO" }],
    },
  });
  const otel =
    endpoint === undefined
      ? {}
      : {
          OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
          OTEL_METRIC_EXPORT_INTERVAL: "500",
          OTEL_BSP_SCHEDULE_DELAY: "200",
        };
  const program = await Program.serve(site, [], { env: { ...otel, ...env } });
  const client = await PolicyClient.connect({ kind: "inet", host: "127.0.0.1", port });
  onTestFinished(() => void client.socket.destroy());
  return { service, program, client };
}

const message = (instance: string) =>
  ["a", "b"].map((name) => ({
    protocol_state: "RCPT",
    sender: "hidden@example.org",
    recipient: `${name}@example.org`,
    instance,
  }));
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])$/;
const parsed = (header: unknown) => TRACEPARENT.exec(String(header))?.slice(1) ?? [];
const attributeOf = ({ attributes }: Span, key: string) => attributes.find((each) => each.key === key)?.value;

describe("a call", () => {
  it("carries the trace of its message, whoever records it", async () => {
    const { service, client } = await serve(undefined);
    for (const request of [...message("1.2.3"), ...message("1.2.4")]) await client.ask(request);
    const seen = service.calls.map(({ headers }) => parsed(headers.traceparent));
    expect(seen.map(([trace]) => trace)).toEqual([seen[0]![0], seen[0]![0], seen[2]![0], seen[2]![0]]);
    expect(seen[0]![0]).not.toBe(seen[2]![0]);
    expect(new Set(seen.map(([, span]) => span)).size).toBe(4);
    expect(seen.map(([, , flags]) => flags)).toEqual(["01", "01", "01", "01"]);
  });

  it("says nothing of it where the service is not to hear", async () => {
    const { service, client } = await serve(undefined, { traceparent: false });
    await client.ask(message("1.2.3")[0]!);
    expect(service.calls[0]?.headers).not.toHaveProperty("traceparent");
  });

  it("is remembered whatever the trace", async () => {
    const { service, client } = await serve(undefined, { cache: {} });
    for (const instance of ["1", "2", "3"]) await client.ask(message(instance)[0]!);
    expect(service.calls).toHaveLength(1);
  });
});

describe("a collector", () => {
  it.each([1, 2])(
    "gets a span for each decision and each call, and the metrics; %i processes",
    async (workers) => {
      const { url, spans, metrics } = await collector();
      const { service, program, client } = await serve(url, {}, {}, workers);
      for (const request of message("1.2.3")) await client.ask(request);
      await vi.waitFor(() => expect(spans).toHaveLength(4), 10_000);
      const [trace] = parsed(service.calls[0]?.headers.traceparent);
      expect(spans.map(({ traceId }) => traceId)).toEqual([trace, trace, trace, trace]);
      const decisions = spans.filter(({ name }) => name === "policy decision");
      const calls = spans.filter(({ name }) => name === "call");
      expect(calls.map(({ parentSpanId }) => parentSpanId)).toEqual(decisions.map(({ spanId }) => spanId));
      expect(calls.map(({ spanId }) => spanId)).toEqual(
        service.calls.map(({ headers }) => parsed(headers.traceparent)[1]),
      );
      for (const { startTimeUnixNano, endTimeUnixNano } of spans) {
        expect(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano)).toBe(true);
      }
      expect(attributeOf(decisions[0]!, "pfxbridge.source")).toEqual({ stringValue: "upstream" });
      expect(attributeOf(calls[0]!, "http.response.status_code")).toEqual({ intValue: 200 });
      expect(JSON.stringify(spans)).not.toContain("example.org");

      await vi.waitFor(() => {
        const counted = metrics().find(({ name }) => name === "pfxbridge_decisions");
        expect(counted?.sum?.dataPoints[0]?.asDouble).toBe(2);
        expect(
          metrics().find(({ name }) => name === "pfxbridge_decision_duration_seconds")?.histogram
            ?.dataPoints[0]?.count,
        ).toBe(2);
      }, 10_000);
      program.child.kill("SIGTERM");
      expect(await program.ended).toBe(0);
    },
  );

  it("gets what is sampled, and services hear what is not", async () => {
    const { url, spans, metrics } = await collector();
    const { service, client } = await serve(url, {}, { OTEL_TRACES_SAMPLER: "always_off" });
    await client.ask(message("1.2.3")[0]!);
    await vi.waitFor(() => expect(metrics()).not.toEqual([]), 10_000);
    expect(parsed(service.calls[0]?.headers.traceparent)[2]).toBe("00");
    expect(spans).toEqual([]);
  });

  it("that hangs holds up no decision, and the end for two seconds", async () => {
    const { url } = await collector(true);
    const { program, client } = await serve(url);
    for (let n = 0; n < 100; n++) expect(await client.ask(message(String(n))[0]!)).toBe("DUNNO");
    client.socket.destroy();
    const begun = performance.now();
    program.child.kill("SIGTERM");
    expect(await program.ended).toBe(0);
    expect(performance.now() - begun).toBeLessThan(6_000);
  });

  it("that is not there is said once, with what to look at", async () => {
    const { program, client } = await serve(`http://127.0.0.1:${await freePort()}`);
    expect(await client.ask(message("1")[0]!)).toBe("DUNNO");
    await vi.waitFor(() => expect(program.stdout).toContain("OTEL_EXPORTER_OTLP_ENDPOINT"), 15_000);
  });
});
