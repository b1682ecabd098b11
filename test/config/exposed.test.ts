/** Warnings of what hardly anybody means, and how to say that it is meant. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pfxbridge-exposed-"));
  const mapping = (action: string) =>
    `request: { path: / }\nresponse:\n  - when: body.ok == true\n    action: ${action}\n`;
  writeFileSync(join(folder, "grant.yaml"), mapping("OK"));
  writeFileSync(join(folder, "gate.yaml"), mapping("DUNNO"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function warningsOf(text: string): Promise<string> {
  const { warnings } = await parseConfig(text, join(folder, "pfxbridge.yaml"));
  return warnings.map(({ line, message }) => `${line}: ${message}`).join("\n");
}

const KNOWN = "routes:\n  - { when: 'sasl_username != \"\"', service: corp }\n  - { action: DUNNO }\n";
const corp = (mapping: string, onFailure: string) =>
  `services:\n  corp:\n    url: https://a.example\n    mapping: ${mapping}\n    on_failure: ${onFailure}\n${KNOWN}`;

describe("an outage", () => {
  it.each([
    [
      "OK at a gate",
      corp("./gate.yaml", "OK"),
      /^5: during an outage OK takes everybody's mail.*\{ unreachable: OK,/,
    ],
    ["RELAY by default", corp("./gate.yaml", "{ default: RELAY }"), /^5: during an outage RELAY takes/],
    [
      "fail-open at a grant",
      corp("./grant.yaml", "fail-open"),
      /^5: the mapping \.\/grant\.yaml grants.*bounces mail/,
    ],
    ["DUNNO at a grant", corp("./grant.yaml", "DUNNO"), /^5: .*DUNNO bounces mail \(554\)/],
    ["DEFER_IF_PERMIT at a grant", corp("./grant.yaml", "DEFER_IF_PERMIT"), /^5: .*DEFER_IF_PERMIT bounces/],
    [
      "authzen that is told to grant",
      corp("{ use: authzen, with: { permit: OK } }", "fail-open"),
      /^5: the mapping authzen grants/,
    ],
  ])("%s: a warning with what to do", async (_name, text, expected) => {
    expect(await warningsOf(text)).toMatch(expected);
  });

  it.each([
    ["DUNNO at a gate", corp("./gate.yaml", "fail-open")],
    ["authzen as a gate", corp("authzen", "fail-open")],
    ["fail-closed at a grant", corp("./grant.yaml", "fail-closed")],
    ["what is said by cause", corp("./grant.yaml", "{ unreachable: OK, timeout: DUNNO }")],
  ])("%s: none", async (_name, text) => {
    expect(await warningsOf(text)).toBe("");
  });
});

describe("a policy port", () => {
  const listen = (entry: string) => `listen:\n  - ${entry}\nroutes:\n  - action: DUNNO\n`;

  it.each(["inet:0.0.0.0:9998", "inet:[::]:9998", '{ endpoint: "inet:mail.example.com:9998", name: x }'])(
    "%s: strangers can reach it",
    async (entry) => {
      expect(await warningsOf(listen(entry))).toMatch(
        /^2: others than this machine can reach.*strangers: true/,
      );
    },
  );

  it.each([
    "inet:127.0.0.1:9998",
    "inet:[::1]:9998",
    "unix:/run/x",
    '{ endpoint: "inet:10.0.0.1:9998", strangers: true }',
  ])("%s: none", async (entry) => {
    expect(await warningsOf(listen(entry))).toBe("");
  });
});
