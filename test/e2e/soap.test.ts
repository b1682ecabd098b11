/**
 * SOAP services that are not ours answer: PHP's SoapServer and the npm package `soap`, in 1.1 and 1.2. The
 * shipped mapping is used as it stands, and copied and changed as its users would.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { isMissing } from "../support/requirement.ts";
import {
  type SoapServer,
  type SoapVersion,
  startNodeSoapServer,
  startPhpSoapServer,
} from "../support/soapservers.ts";
import { freePort } from "../support/temporary.ts";

const shipped = readFileSync(resolve(import.meta.dirname, "../../mappings/soap.yaml"), "utf8");

/** A copy of the shipped mapping, without its examples, for another version of SOAP. */
function copyFor(version: SoapVersion): string {
  return shipped.replace(/^examples:.*/ms, "").replace('version: "1.1"', `version: "${version}"`);
}

/** The same with the rule that takes a Fault for an answer, put before the others. */
function faultAsAnswer(version: SoapVersion): string {
  const code = version === "1.1" ? "Client" : "Sender";
  const rule = `  - when: fault != null && fault.code == "${code}"\n    action: REJECT 5.7.1 \${fault.reason}\n`;
  return copyFor(version).replace(/^response:\n/m, `response:\n${rule}`);
}

/** Each server answers a Fault with the status that it thinks right; a Fault without a rule is trouble. */
const servers = [
  {
    server: "PHP's SoapServer",
    start: startPhpSoapServer,
    trouble: "http_5xx",
    isSkipped: isMissing("php", "tests with PHP's SoapServer"),
  },
  { server: "the npm package soap", start: startNodeSoapServer, trouble: "bad_reply", isSkipped: false },
];
const cases = servers.flatMap((server) =>
  (["1.1", "1.2"] as const).map((version) => ({ ...server, version })),
);

for (const { server, start, trouble, isSkipped, version } of cases) {
  describe.skipIf(isSkipped)(`${server}, SOAP ${version}`, () => {
    let soap: SoapServer;
    let bridge: Bridge;
    let port: number;
    let faultPort: number;

    beforeAll(async () => {
      soap = await start(version);
      port = await freePort();
      faultPort = await freePort();
      bridge = await startBridge({
        config: {
          listen: [`inet:127.0.0.1:${port}`, { endpoint: `inet:127.0.0.1:${faultPort}`, name: "faults" }],
          services: {
            plain: {
              url: soap.url,
              mapping: version === "1.1" ? "soap" : "./copy.yaml",
              retry: { attempts: 1 },
            },
            faults: { url: soap.url, mapping: "./faults.yaml" },
          },
          routes: [{ when: 'listener == "faults"', service: "faults" }, { service: "plain" }],
        },
        files: { "copy.yaml": copyFor(version), "faults.yaml": faultAsAnswer(version) },
      });
    });

    afterAll(async () => {
      await bridge?.stop();
      await soap?.stop();
    });

    const mail = (sender: string) => ({ sender, recipient: "bob@example.org", client_address: "192.0.2.7" });

    it("permits", async () => {
      expect(await ask(port, mail("alice@example.net"))).toBe("DUNNO");
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({ source: "upstream", rule: 1, status: 200 });
    });

    it("denies with the service's reason", async () => {
      expect(await ask(port, mail("mallory@example.net"))).toBe(
        "REJECT 5.7.1 mallory@example.net may not write to bob@example.org",
      );
    });

    it("carries markup in an address to the service and back as it was", async () => {
      const sender = `<!--"&amp;]]>&'é@example.net`;
      expect(await ask(port, mail(sender))).toBe(`REJECT 5.7.1 ${sender} may not write to bob@example.org`);
    });

    it("takes a Fault for trouble when no rule names it", async () => {
      expect(await ask(port, mail("fault@example.net"))).toMatch(/^DEFER 4\.3\.0 /);
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({ source: "default", cause: trouble });
    });

    it("takes a Fault for an answer when a rule names it", async () => {
      expect(await ask(faultPort, mail("fault@example.net"))).toBe("REJECT 5.7.1 no such account");
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({ source: "upstream", service: "faults", rule: 1 });
      expect(await ask(faultPort, mail("alice@example.net"))).toBe("DUNNO");
    });
  });
}
