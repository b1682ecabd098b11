/**
 * Services that want WS-Security and WS-Addressing, and check both themselves: PHP's SoapServer, which remembers nonces
 * and MessageIDs, and the npm package `soap`.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { run } from "../commands/program.ts";
import { ask } from "../support/ask.ts";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { isMissing } from "../support/requirement.ts";
import { type SoapServer, startNodeSoapServer, startSecuredPhpServer } from "../support/soap/servers.ts";
import { startWss4jServer } from "../support/soap/wss4j.ts";
import { freePort } from "../support/temporary.ts";

const PASSWORD = "ge&heim<nis";
const MAIL = { sender: "alice@example.net", recipient: "bob@example.org", client_address: "192.0.2.7" };

const shipped = readFileSync(resolve(import.meta.dirname, "../../mappings/soap.yaml"), "utf8");
const copy = shipped.replace(/^examples:.*/ms, "");
const addressed = copy.replace(/^( +)body:/m, "$1addressing: true\n$1body:");

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop();
});

async function bridgeTo(
  soap: SoapServer,
  token: object,
  mapping = copy,
  more: object = {},
): Promise<{ bridge: Bridge; port: number }> {
  open.push(soap);
  const port = await freePort();
  const service = {
    url: soap.url,
    mapping: "./mine.yaml",
    auth: { ws_security: { username: "bridge & co", password: { file: "password" }, ...token } },
    ...more,
  };
  const bridge = await startBridge({
    config: { listen: [`inet:127.0.0.1:${port}`], services: { soap: service } },
    files: { "mine.yaml": mapping, password: `${PASSWORD}\n` },
  });
  open.push(bridge);
  return { bridge, port };
}

describe.skipIf(isMissing("php", "tests of WS-Security with PHP's SoapServer"))("PHP's SoapServer", () => {
  it.each([
    ["a digest of nonce, time and password", "digest", {}],
    ["the password as it is", "text", { type: "text" }],
    [
      "the password, nonce, time and a Timestamp",
      "text",
      { type: "text", nonce: true, created: true, timestamp: "1m" },
    ],
    ["a digest without a time", "digest", { created: false }],
    ["a digest and a Timestamp", "digest", { timestamp: "5m" }],
  ] as const)("knows the bridge by %s", async (_, kind, token) => {
    const { bridge, port } = await bridgeTo(await startSecuredPhpServer(PASSWORD, kind), token);
    for (let n = 0; n < 3; n++) expect(await ask(port, MAIL)).toBe("DUNNO");
    await expect.poll(() => bridge.decisions().length, LOGGED).toBe(3);
    expect(bridge.decisions().map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
  });

  it("gets a nonce and a MessageID of its own with each attempt, beside the mapping's own header", async () => {
    const { bridge, port } = await bridgeTo(await startSecuredPhpServer(PASSWORD, "digest"), {}, addressed);
    expect(await ask(port, { ...MAIL, sender: "twice@example.net" })).toBe("DUNNO");
    await expect
      .poll(() => bridge.decisions().at(-1), LOGGED)
      .toMatchObject({ source: "upstream", attempts: 2 });
  });

  it("is not asked for what is remembered: what an attempt alone has is no part of the question", async () => {
    const soap = await startSecuredPhpServer(PASSWORD, "digest");
    const { bridge, port } = await bridgeTo(soap, { timestamp: "5m" }, addressed, { cache: {} });
    for (let n = 0; n < 2; n++) expect(await ask(port, MAIL)).toBe("DUNNO");
    await expect
      .poll(() => bridge.decisions().map(({ source }) => source), LOGGED)
      .toEqual(["upstream", "cache"]);
  });

  it("refuses another password, and the log says what to look at and not the password", async () => {
    const { bridge, port } = await bridgeTo(await startSecuredPhpServer("another", "text"), { type: "text" });
    expect(await ask(port, MAIL)).toMatch(/^DEFER 4\.3\.0 /);
    await expect
      .poll(() => bridge.decisions().at(-1), LOGGED)
      .toMatchObject({
        cause: "http_5xx",
        detail: expect.stringMatching(/SOAP Fault FailedAuthentication: not the bridge.*password/),
      });
    expect(JSON.stringify(bridge.log())).not.toContain("heim");
  });

  it("shows in `try` what is sent, without the password or what is made of it", async () => {
    for (const [kind, token] of [
      ["digest", {}],
      ["text", { type: "text" }],
    ] as const) {
      const { bridge } = await bridgeTo(await startSecuredPhpServer(PASSWORD, kind), token, addressed);
      const args = ["try", "-c", bridge.path("pfxbridge.yaml"), "sender=alice@example.net"];
      const { stdout, status } = await run(args);
      expect(status).toBe(0);
      expect(stdout).toMatch(/#Password(Text|Digest)">\*\*\*<\/wsse:Password>/);
      expect(stdout).toContain("<wsa:To ");
      expect(stdout).not.toContain("heim");
      expect((await run([...args, "--json"])).stdout).toMatch(
        /#Password(Text|Digest)\\">\*\*\*<\/wsse:Password>/,
      );
    }
  });
});

/** Java takes its time for the first call. */
const PATIENT = { timeout: "10s", deadline: "20s" };

describe.skipIf(isMissing("wss4j", "tests of WS-Security with Apache WSS4J"))("Apache WSS4J", () => {
  it.each([
    ["digest", false, {}],
    ["digest", true, { timestamp: "5m" }],
    ["text", false, { type: "text" }],
    ["text", true, { type: "text", nonce: true, created: true, timestamp: "1m" }],
  ] as const)("verifies the bridge by %s, a Timestamp: %s", async (kind, timestamp, token) => {
    const soap = await startWss4jServer(PASSWORD, kind, timestamp);
    const { bridge, port } = await bridgeTo(soap, token, copy, PATIENT);
    for (let n = 0; n < 3; n++) expect(await ask(port, MAIL)).toBe("DUNNO");
    await expect.poll(() => bridge.decisions().length, LOGGED).toBe(3);
    expect(bridge.decisions().map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
  });

  it("refuses what somebody sends once more: its nonce came before", async () => {
    const soap = await startWss4jServer(PASSWORD, "digest", false);
    const { port } = await bridgeTo(soap, {}, copy, PATIENT);
    expect(await ask(port, MAIL)).toBe("DUNNO");
    const body = await (await fetch(`${soap.url}?last`, { headers: { connection: "close" } })).text();
    expect(body).toContain("#PasswordDigest");
    const again = await fetch(soap.url, { method: "POST", body, headers: { connection: "close" } });
    expect(again.status).toBe(500);
    expect(await again.text()).toMatch(/replay/i);
    expect(await ask(port, MAIL)).toBe("DUNNO");
  });

  it.each([
    ["another password", "another", {}],
    ["the password as it is, where a digest is wanted", PASSWORD, { type: "text" }],
  ] as const)("refuses %s, and the log says what to look at", async (_, password, token) => {
    const { bridge, port } = await bridgeTo(
      await startWss4jServer(password, "digest", false),
      token,
      copy,
      PATIENT,
    );
    expect(await ask(port, MAIL)).toMatch(/^DEFER 4\.3\.0 /);
    await expect
      .poll(() => String(bridge.decisions().at(-1)?.detail), LOGGED)
      .toMatch(/SOAP Fault FailedAuthentication: .*; look at username and password under auth\.ws_security/);
    expect(JSON.stringify(bridge.log())).not.toContain("heim");
  });
});

it("npm soap sees a token that is right", async () => {
  const tokens: Record<string, string>[] = [];
  const soap = await startNodeSoapServer("1.1", ({ UsernameToken: token }) => {
    const { Username, Password, Nonce, Created } = token;
    tokens.push({ Nonce: Nonce.$value });
    const digest = createHash("sha1")
      .update(Buffer.from(Nonce.$value, "base64"))
      .update(Created)
      .update(PASSWORD)
      .digest("base64");
    return Username === "bridge & co" && Password.$value === digest;
  });
  const { port } = await bridgeTo(soap, {});
  for (let n = 0; n < 2; n++) expect(await ask(port, MAIL)).toBe("DUNNO");
  expect(new Set(tokens.map(({ Nonce }) => Nonce)).size).toBe(2);
});
