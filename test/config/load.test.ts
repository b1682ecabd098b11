import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { FAIL_CLOSED } from "../../src/config/on-failure.ts";
import type { Secret } from "../../src/config/secret.ts";
import { requestVariables } from "../../src/expression/variables.ts";
import { hostTag } from "../../src/model/reference.ts";
import { policyRequest } from "../../src/model/request.ts";
import { TestAuthority } from "../upstream/certificates.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pfxbridge-load-"));
  writeFileSync(join(folder, "password"), "correct horse\n", { mode: 0o600 });
  const authority = new TestAuthority();
  const client = authority.issue("client", "DNS:bridge.example");
  copyFileSync(authority.certificate, join(folder, "ca.pem"));
  copyFileSync(client.cert, join(folder, "client.pem"));
  copyFileSync(client.key, join(folder, "client.key"));
  authority.remove();
  writeFileSync(join(folder, "own.mjs"), "throw new Error('run too early');", { mode: 0o600 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (text: string) => parseConfig(text, join(folder, "pfxbridge.yaml"));

describe("what is not said", () => {
  it("has the documented defaults", async () => {
    const config = await read("services: { corp: { url: https://authz.example.com/api } }");
    expect(config).toMatchObject({
      listeners: [{ endpoint: { kind: "inet", host: "127.0.0.1", port: 9998 }, name: "inet:127.0.0.1:9998" }],
      routes: [{ number: 1, when: null, target: { service: "corp", onFailure: FAIL_CLOSED } }],
      offline: false,
      log: { level: "info" },
      warnings: [],
    });
    expect(config).not.toHaveProperty("user");
    expect(config.log).toEqual({
      level: "info",
      explain: 1000,
      reference: { host: hostTag(), isTold: false },
    });
    const { mapping, ...settings } = config.services.get("corp")!;
    expect(mapping.name).toBe("authzen");
    expect(settings).toEqual({
      name: "corp",
      urls: ["https://authz.example.com/api"],
      timeout: 1000,
      deadline: 3000,
      stressDeadline: 3000,
      retry: { attempts: 3, backoff: 50, maxBackoff: 500 },
      breaker: { failureRate: 50, minimumCalls: 20, window: 10_000, openFor: 5000 },
      maxInFlight: 256,
      fair: "client_address",
      pipelining: 1,
      http2: false,
      traceparent: true,
      maxReplySize: 1024 * 1024,
      maxConnectionAge: 300_000,
      onFailure: FAIL_CLOSED,
      headers: {},
      secrets: {},
      auth: { kind: "none" },
      tls: {},
      proxies: { http: null, https: null, exempt: [], fromEnvironment: false },
      warm: [],
    });
  });

  it("does not contradict what is: max_backoff follows a longer backoff", async () => {
    const config = await read("services: { corp: { url: https://a.example, retry: { backoff: 2s } } }");
    expect(config.services.get("corp")?.retry).toEqual({ attempts: 3, backoff: 2000, maxBackoff: 2000 });
  });
});

describe("what is said", () => {
  const text = `
listen:
  - inet:[::1]:9998
  - endpoint: unix:/var/spool/postfix/private/pfxbridge
    name: submission
    mode: "0660"
    owner: postfix
    group: postfix
services:
  corp:
    url: [https://one.example/api, https://two.example/api]
    mapping: rest
    timeout: 250ms
    deadline: 5m
    on_failure: fail-open
    headers: { X-Tenant: mail, X-Api-Key: { env: PFXBRIDGE_TEST_KEY } }
    auth: { basic: { username: bridge, password: { file: password } } }
    tls: { ca: ca.pem, cert: client.pem, key: ./client.key, server_name: authz.example }
    max_reply_size: 64KiB
  other: { url: https://three.example, auth: { bearer: a-plain-token } }
routes:
  - when: protocol_state == "VRFY"
    action: REJECT  5.5.1 No
  - when: ip_in(client_address, "10.0.0.0/8")
    service: corp
    on_failure: postfix-default
  - service: corp
offline: [other]
user: pfxbridge
group: mail
log: { level: debug, format: pretty, file: bridge.log }
`;

  it("is plain data with everything resolved", async () => {
    process.env.PFXBRIDGE_TEST_KEY = "key-from-environment";
    const config = await read(text);
    expect(config.listeners).toEqual([
      { endpoint: { kind: "inet", host: "::1", port: 9998 }, name: "inet:[::1]:9998" },
      {
        endpoint: { kind: "unix", path: "/var/spool/postfix/private/pfxbridge" },
        name: "submission",
        mode: 0o660,
        owner: "postfix",
        group: "postfix",
      },
    ]);
    expect(config.services.get("corp")).toMatchObject({
      urls: ["https://one.example/api", "https://two.example/api"],
      timeout: 250,
      deadline: 300_000,
      maxReplySize: 65_536,
      tls: {
        ca: join(folder, "ca.pem"),
        cert: join(folder, "client.pem"),
        key: join(folder, "client.key"),
        serverName: "authz.example",
      },
    });
    expect(config.routes.map(({ number, target }) => [number, target])).toEqual([
      [1, { action: "REJECT 5.5.1 No" }],
      [2, { service: "corp", onFailure: expect.objectContaining({ timeout: null }) }],
      [3, { service: "corp", onFailure: expect.objectContaining({ timeout: ["DUNNO"] }) }],
    ]);
    expect(config).toMatchObject({
      offline: ["other"],
      user: "pfxbridge",
      group: "mail",
      log: { level: "debug", format: "pretty", file: join(folder, "bridge.log") },
    });
  });

  it.each([
    ["local", { kind: "unix", path: "/dev/log" }, "bsd"],
    ["unix:/run/log", { kind: "unix", path: "/run/log" }, "bsd"],
    ["udp://loghost", { kind: "udp", host: "loghost", port: 514 }, "rfc5424"],
    ["tcp://[::1]:1514", { kind: "tcp", host: "::1", port: 1514 }, "rfc5424"],
    ["tls://loghost", { kind: "tls", host: "loghost", port: 6514, tls: {} }, "rfc5424"],
  ])("finds syslog at %s", async (to, place, header) => {
    const defaults = { facility: "mail", appName: "pfxbridge", header };
    const { log } = await read(`routes: [{ action: DUNNO }]\nlog: { syslog: "${to}" }`);
    expect(log.syslog).toEqual({ place, ...defaults });
  });

  it("has its conditions compiled", async () => {
    const { routes } = await read(text);
    const attributes = new Map([["protocol_state", "VRFY"]]);
    const variables = requestVariables(policyRequest(attributes), new Map());
    expect(routes.map(({ when }) => when?.test(variables))).toEqual([true, false, undefined]);
  });

  it("has its secrets where they are sent, and nowhere else", async () => {
    const config = await read(text);
    const corp = config.services.get("corp")!;
    expect(corp.headers["x-tenant"]).toBe("mail");
    const key = corp.headers["x-api-key"] as Secret;
    expect(key.reveal()).toBe("key-from-environment");
    expect(corp.auth.kind === "basic" && corp.auth.password.reveal()).toBe("correct horse");

    const { mapping: _, ...settings } = corp;
    const shown = `${JSON.stringify(settings)} ${inspect(settings, { depth: 9, showHidden: true })}`;
    expect(shown).not.toMatch(/correct horse|key-from-environment/);

    const basic = Buffer.from("bridge:correct horse").toString("base64");
    expect(config.mask(`key-from-environment|correct horse|Basic ${basic}|a-plain-token|mail|bridge`)).toBe(
      "***|***|Basic ***|***|mail|bridge",
    );
  });

  it("warns, and works all the same", async () => {
    const { warnings } = await read(text);
    expect(warnings.map(({ line, severity }) => [line, severity])).toEqual([
      [14, "warning"],
      [15, "warning"],
      [20, "warning"],
    ]);
  });
});

it("does not run the code of a module when it loads", async () => {
  const config = await read("services: { corp: { url: https://a.example, mapping: ./own.mjs } }");
  await expect(config.services.get("corp")?.mapping.instantiate()).rejects.toThrow("run too early");
});

it("reads a file, and what it names relative to it", async () => {
  const file = join(folder, "relative.yaml");
  const text =
    "services: { corp: { url: https://a.example, auth: { basic: { username: u, password: { file: password } } } } }";
  writeFileSync(file, text, { mode: 0o600 });
  const config = await loadConfig(file);
  expect(config.file).toBe(file);
  expect(config.mask("correct horse")).toBe("***");
});

it("needs no service where routes answer by themselves", async () => {
  const config = await read("routes: [{ action: DUNNO }]");
  expect(config.routes).toEqual([{ number: 1, when: null, target: { action: "DUNNO" } }]);
  expect(config.services.size).toBe(0);
});
