/**
 * A real Prometheus scrapes a real bridge: every query of the dashboard gives something, the alerts are read and fire. Their
 * own tests, each alert with figures that fire it and figures near it that do not, are run by promtool.
 */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Bridge, startBridge } from "../support/bridge.ts";
import { type Daemon, startDaemon } from "../support/daemon.ts";
import { PolicyClient } from "../support/policy-client.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService } from "../support/service.ts";
import { freePort, type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";

const DEPLOY = resolve(import.meta.dirname, "../../deploy");
const RULES = join(DEPLOY, "prometheus/pfxbridge.rules.yaml");

interface Target {
  readonly expr: string;
}
const dashboard: { panels: { title: string; targets?: Target[] }[] } = JSON.parse(
  readFileSync(join(DEPLOY, "grafana/pfxbridge.json"), "utf8"),
);
const QUERIES = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }, at) => [`${title}, ${at + 1}`, expr] as const),
);
/** Of services that show a token. */
const MAY_BE_EMPTY = /token_renewals/;

const alerts = [...readFileSync(RULES, "utf8").matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);

describe("each alert", () => {
  it("has its place in what to do, and says in itself what to do first", () => {
    const runbook = readFileSync(join(DEPLOY, "prometheus/README.md"), "utf8");
    expect([...runbook.matchAll(/^## (Pfxbridge\w+)$/gm)].map(([, name]) => name)).toEqual(alerts);
    const text = readFileSync(RULES, "utf8");
    for (const name of alerts)
      expect(text).toContain(`runbook: deploy/prometheus/README.md#${name.toLowerCase()}\n`);
    expect(text.match(/^ +action: /gm)).toHaveLength(alerts.length);
  });

  it.skipIf(isMissing("prometheus", "tests of alerts"))("fires when it should, and not before", async () => {
    const tests = join(DEPLOY, "prometheus/rules.test.yaml");
    for (const name of alerts) expect(readFileSync(tests, "utf8")).toContain(`name: ${name} fires`);
    const promtool = promisify(execFile);
    expect((await promtool("promtool", ["check", "rules", RULES])).stdout).toContain("SUCCESS");
    expect((await promtool("promtool", ["test", "rules", tests])).stdout).toContain("SUCCESS");
  });
});

describe.skipIf(isMissing("prometheus", "tests of metrics with Prometheus"))("Prometheus", () => {
  let folder: TemporaryFolder;
  let service: AuthorizationService;
  let bridge: Bridge;
  let prometheus: Daemon;
  let origin: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const [cert, key] = [join(folder.path, "cert.pem"), join(folder.path, "key.pem")];
    const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    execFileSync("openssl", [...made, "-subj", "/CN=b", "-days", "30", "-keyout", key, "-out", cert], {
      stdio: "ignore",
    });
    service = await AuthorizationService.start(({ json }) =>
      json?.sender === "broken@example.org" ? { status: 500 } : { body: { allowed: true } },
    );
    const policy = await freePort();
    const admin = await freePort();
    bridge = await startBridge({
      config: {
        listen: [{ endpoint: `inet:127.0.0.1:${policy}`, name: "submission" }],
        services: {
          corp: { url: service.url, mapping: "./gate.yaml", cache: { ttl: "1h" }, retry: { attempts: 1 } },
        },
        workers: 2,
        admin: { endpoint: `inet:127.0.0.1:${admin}`, token: "s3cret-token", tls: { cert, key } },
      },
      files: {
        "gate.yaml": {
          request: { method: "POST", json: { sender: "${sender}" } },
          response: [{ when: "body.allowed", action: "DUNNO" }],
        },
      },
    });
    await askedFor(policy);
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    await writeFile(
      join(folder.path, "prometheus.json"),
      // JSON is YAML.
      JSON.stringify({
        global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
        rule_files: [RULES],
        scrape_configs: [
          {
            job_name: "pfxbridge",
            scheme: "https",
            tls_config: { ca_file: cert, insecure_skip_verify: true },
            authorization: { credentials: "s3cret-token" },
            static_configs: [{ targets: [`127.0.0.1:${admin}`] }],
          },
        ],
      }),
    );
    prometheus = await startDaemon({
      command: "prometheus",
      parameters: [
        `--config.file=${join(folder.path, "prometheus.json")}`,
        `--storage.tsdb.path=${join(folder.path, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      ready: () => expect(get("/-/ready")).resolves.toBeDefined(),
    });
    // Rates take two scrapes, with something decided in between.
    await vi.waitFor(async () => expect(await query("sum_over_time(up[1m])")).not.toEqual([]), 20_000);
    await askedFor(policy);
    await vi.waitFor(
      async () => expect(Number((await query("sum_over_time(up[1m])"))[0]?.value[1])).toBeGreaterThan(4),
      { timeout: 30_000, interval: 500 },
    );
  }, 90_000);
  afterAll(async () => {
    await prometheus?.stop();
    await bridge?.stop();
    await service?.stop();
    await folder?.remove();
  });

  it.each(QUERIES)("has what the dashboard shows: %s", async (_, expr) => {
    const concrete = expr
      .replaceAll("$__rate_interval", "1m")
      .replaceAll("$instance", ".*")
      .replaceAll("$service", ".*");
    const result = await query(concrete);
    if (!MAY_BE_EMPTY.test(expr)) expect(result, concrete).not.toEqual([]);
    for (const { value } of result) expect(value[1], concrete).not.toBe("NaN");
  });

  it("counts of both workers what was decided", async () => {
    const decided = await query('sum by (source, action) (pfxbridge_decisions_total{service="corp"})');
    const of = (source: string) => Number(decided.find(({ metric }) => metric.source === source)?.value[1]);
    expect(of("upstream") + of("cache")).toBe(2 * ASKED);
    expect(of("default")).toBe(2);
  });

  it("can evaluate the alerts, and sees when the bridge is gone", async () => {
    const { groups } = (await get("/api/v1/rules")) as {
      groups: { rules: { name: string; health: string }[] }[];
    };
    expect(groups.flatMap(({ rules }) => rules.filter(({ health }) => health !== "ok"))).toEqual([]);
    await bridge.stop();
    await vi.waitFor(async () => expect(await query('ALERTS{alertname="PfxbridgeDown"}')).toHaveLength(1), {
      timeout: 15_000,
      interval: 250,
    });
  });

  const ASKED = 40;

  async function askedFor(port: number): Promise<void> {
    const clients = await Promise.all(
      Array.from({ length: 4 }, () => PolicyClient.connect({ kind: "inet", host: "127.0.0.1", port })),
    );
    try {
      for (let round = 0; round < ASKED / 4; round++) {
        await Promise.all(clients.map((client) => client.ask({ sender: `a${round % 5}@example.org` })));
      }
      await clients[0]!.ask({ sender: "broken@example.org" });
    } finally {
      for (const client of clients) client.socket.destroy();
    }
  }

  async function query(
    expr: string,
  ): Promise<{ readonly metric: Readonly<Record<string, string>>; readonly value: [number, string] }[]> {
    const data = (await get(`/api/v1/query?query=${encodeURIComponent(expr)}`)) as { result: never };
    return data.result;
  }

  async function get(path: string): Promise<unknown> {
    const reply = await fetch(origin + path);
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${path}: ${text}`);
    return path.startsWith("/api") ? JSON.parse(text).data : text;
  }
});
