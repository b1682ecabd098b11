import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { AdminEndpoint } from "../../src/admin/admin-endpoint.ts";
import type { Seen } from "../../src/admin/seen.ts";
import type { AdminConfig } from "../../src/config/config.ts";
import { Secret } from "../../src/config/secret.ts";
import { freePort, temporaryFolder } from "../support/temporary.ts";

const STATUS = {
  version: "1.2.3",
  pid: 1,
  started: "2026-01-01T00:00:00.000Z",
  uptime_s: 1,
  config: "/etc/pfxbridge/pfxbridge.yaml",
  listeners: [],
  services: [],
  store_complaint: null,
  reload: null,
  decisions: { upstream: 3 },
};

interface Started {
  readonly admin: AdminEndpoint;
  readonly config: AdminConfig;
  readonly warnings: string[];
}

async function start(settings: Partial<AdminConfig> = {}, own: Partial<Seen> = {}): Promise<Started> {
  const warnings: string[] = [];
  const log = {
    debug: () => {},
    info: () => {},
    warn: (_: object, text: string) => warnings.push(text),
    error: () => {},
  };
  const seen: Seen = {
    notReady: () => undefined,
    status: async () => STATUS,
    figures: async () => ({
      decisions: [{ labels: ["corp", "upstream", "dunno"], value: 3 }],
      decisionDuration: [
        { labels: ["corp", "upstream"], value: { counts: [0, 1, 2, ...new Array(13).fill(0)], sum: 0.005 } },
      ],
    }),
    mask: (text) => text.replaceAll("hunter2", "***"),
    ...own,
  };
  const config: AdminConfig = {
    endpoint: { kind: "inet", host: "127.0.0.1", port: await freePort() },
    mode: 0o600,
    ...settings,
  };
  const admin = new AdminEndpoint(seen, log);
  (await admin.prepare(config)).use();
  onTestFinished(() => admin.close());
  return { admin, config, warnings };
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

function get({ endpoint, tls }: AdminConfig, path: string, asked: Asked = {}) {
  const port = endpoint.kind === "inet" ? endpoint.port : 0;
  const ask = tls === undefined ? httpRequest : httpsRequest;
  return new Promise<{ status: number | undefined; text: string; headers: Record<string, unknown> }>(
    (resolve, reject) => {
      const options = { host: "127.0.0.1", port, path, agent: false, rejectUnauthorized: false, ...asked };
      const request = ask(options, (reply) => {
        let text = "";
        reply.on("data", (chunk) => {
          text += String(chunk);
        });
        reply.on("end", () => resolve({ status: reply.statusCode, text, headers: reply.headers }));
      });
      request.on("error", reject);
      request.end();
    },
  );
}

describe("the admin endpoint", () => {
  it("says that the process is alive, and what it decided, in both of Prometheus' formats", async () => {
    const { config } = await start();
    expect(await get(config, "/healthz")).toMatchObject({ status: 200, text: "ok\n" });
    const plain = await get(config, "/metrics");
    expect(plain.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(plain.text).toContain("# TYPE pfxbridge_decisions_total counter\n");
    expect(plain.text).toContain(
      'pfxbridge_decisions_total{service="corp",source="upstream",action="dunno"} 3\n',
    );
    expect(plain.text).toContain(
      'pfxbridge_decision_duration_seconds_bucket{service="corp",source="upstream",le="0.001"} 1\n',
    );
    expect(plain.text).toContain('le="+Inf"} 3\n');
    expect(plain.text).toContain(
      'pfxbridge_decision_duration_seconds_count{service="corp",source="upstream"} 3\n',
    );
    const open = await get(config, "/metrics", {
      headers: {
        accept: "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      },
    });
    expect(open.headers["content-type"]).toMatch(/^application\/openmetrics-text/);
    expect(open.text).toContain("# TYPE pfxbridge_decisions counter\n");
    expect(open.text).toContain(
      'pfxbridge_decisions_total{service="corp",source="upstream",action="dunno"} 3\n',
    );
    expect(open.text).toMatch(/\n# EOF\n$/);
  });

  it("gives the status as the command does", async () => {
    const { config } = await start();
    expect(JSON.parse((await get(config, "/status")).text)).toEqual(STATUS);
  });

  it("is ready whatever becomes of services or the status, and says what is missing before", async () => {
    let missing: string | undefined = "it is being started";
    const { config } = await start(
      {},
      { notReady: () => missing, status: () => Promise.reject(new Error("no")) },
    );
    expect(await get(config, "/readyz")).toMatchObject({
      status: 503,
      text: expect.stringContaining("being started"),
    });
    missing = undefined;
    expect(await get(config, "/readyz")).toMatchObject({ status: 200, text: '{"ready":true}\n' });
  });

  it.each([
    ["an unknown path", "/metric", {}, 404],
    ["a path of Object's own", "/constructor", {}, 404],
    ["another method", "/metrics", { method: "POST" }, 405],
    [
      "a name that another's server gave to this address",
      "/status",
      { headers: { host: "evil.example" } },
      403,
    ],
    ["a page of another site", "/status", { headers: { origin: "https://evil.example" } }, 403],
    [
      "what another site includes",
      "/status",
      { headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" } },
      403,
    ],
  ])("refuses %s", async (_, path, asked, status) => {
    const { config } = await start();
    expect((await get(config, path, asked)).status).toBe(status);
  });

  it.each([
    [
      "typed into a browser",
      { "sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    ],
    [
      "linked to",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    ],
    ["asked for by a page of its own", { "sec-fetch-site": "same-origin" }],
  ])("answers what is %s", async (_, headers) => {
    const { config } = await start();
    const { status, headers: own } = await get(config, "/status", { headers });
    expect(status).toBe(200);
    expect(own["content-security-policy"]).toContain("default-src 'none'");
  });
});

describe("with a token and a password", () => {
  const locked = {
    token: new Secret("s3cret-token"),
    basic: { username: "prometheus", password: new Secret("p4ssword") },
  };
  const basic = (text: string) => ({
    headers: { authorization: `Basic ${Buffer.from(text).toString("base64")}` },
  });

  it.each([
    ["the token", { headers: { authorization: "Bearer s3cret-token" } }, 200],
    ["the password", basic("prometheus:p4ssword"), 200],
    ["nothing", {}, 401],
    ["another's name", basic("root:p4ssword"), 401],
    ["the password as a token", { headers: { authorization: "Bearer p4ssword" } }, 401],
  ])("shown %s answers accordingly", async (_, asked, status) => {
    const { config } = await start(locked);
    expect((await get(config, "/metrics", asked)).status).toBe(status);
    // A probe shows nothing, and learns nothing.
    expect(await get(config, "/healthz")).toMatchObject({ status: 200 });
    expect(await get(config, "/readyz")).toMatchObject({ status: 200, text: '{"ready":true}\n' });
  });

  it("over TLS for whoever can reach it, by whatever name", async () => {
    const folder = await temporaryFolder();
    onTestFinished(folder.remove);
    const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(folder.path, name)) as [string, string];
    const made = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-subj",
      "/CN=b",
    ];
    execFileSync("openssl", [...made, "-days", "2", "-keyout", key, "-out", cert], { stdio: "ignore" });
    const tls = { cert: readFileSync(cert, "utf8"), key: new Secret(readFileSync(key, "utf8")) };
    const { config } = await start({ ...locked, tls });
    const headers = { host: "bridge.example.org:9997", authorization: "Bearer s3cret-token" };
    expect((await get(config, "/status", { headers })).status).toBe(200);
    // Connections that say nothing, or no TLS, take nobody's place.
    const port = config.endpoint.kind === "inet" ? config.endpoint.port : 0;
    const idle = Array.from({ length: 80 }, () => connect(port, "127.0.0.1").on("error", () => {}));
    onTestFinished(() => idle.forEach((socket) => void socket.destroy()));
    expect((await get(config, "/status", { headers })).status).toBe(200);
  });
});

describe("a reload", () => {
  it("binds another address, and leaves the former one", async () => {
    const { admin, config } = await start();
    const next: AdminConfig = {
      ...config,
      endpoint: { kind: "inet", host: "127.0.0.1", port: await freePort() },
    };
    (await admin.prepare(next)).use();
    expect((await get(next, "/healthz")).status).toBe(200);
    await vi.waitFor(() => expect(get(config, "/healthz")).rejects.toThrow());
    (await admin.prepare(undefined)).use();
    await vi.waitFor(() => expect(get(next, "/healthz")).rejects.toThrow());
  });

  it("to an address in use is refused, and all stays as it was", async () => {
    const { admin, config } = await start();
    const other = await start();
    await expect(admin.prepare(other.config)).rejects.toThrow(
      /admin: cannot listen on inet:127.0.0.1:\d+: the port is in use/,
    );
    expect((await get(config, "/healthz")).status).toBe(200);
  });

  it("that is given up after all leaves nothing bound", async () => {
    const { admin, config } = await start();
    const next: AdminConfig = {
      ...config,
      endpoint: { kind: "inet", host: "127.0.0.1", port: await freePort() },
    };
    await (await admin.prepare(next)).discard();
    await expect(get(next, "/healthz")).rejects.toThrow();
    expect((await get(config, "/healthz")).status).toBe(200);
  });

  it("takes a token on, replaces it, and never takes it off what is bound", async () => {
    const { admin, config, warnings } = await start();
    const shown = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    (await admin.prepare({ ...config, token: new Secret("first-token") })).use();
    expect((await get(config, "/metrics")).status).toBe(401);
    (await admin.prepare({ ...config, token: new Secret("second-token") })).use();
    expect((await get(config, "/metrics", shown("second-token"))).status).toBe(200);
    expect((await get(config, "/metrics", shown("first-token"))).status).toBe(401);
    (await admin.prepare(config)).use();
    expect((await get(config, "/metrics")).status).toBe(401);
    expect(warnings).toContainEqual(expect.stringContaining("keeps its token"));
  });
});

describe("figures that take their time", () => {
  it("are put together once for all who ask meanwhile", async () => {
    let made = 0;
    const figures: Seen["figures"] = async () => {
      made++;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return {};
    };
    const { config } = await start({}, { figures });
    const replies = await Promise.all(Array.from({ length: 20 }, () => get(config, "/metrics")));
    expect(replies.map(({ status }) => status)).toEqual(new Array(20).fill(200));
    expect(made).toBe(1);
  });

  it("and never come are not waited for, in words without secrets", async () => {
    const { config } = await start({}, { figures: () => new Promise(() => {}) });
    const { status, text } = await get(config, "/metrics");
    expect(status).toBe(503);
    expect(text).toContain("took longer than 5 s");
    const failing = await start(
      {},
      { figures: () => Promise.reject(new Error("redis://:hunter2@host is gone")) },
    );
    expect((await get(failing.config, "/metrics")).text).toBe('{"error":"redis://:***@host is gone"}\n');
  });
});
