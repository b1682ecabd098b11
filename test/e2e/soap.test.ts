/**
 * SOAP services that are not ours answer, in 1.1 and 1.2: document/literal on PHP's SoapServer, the npm package `soap`
 * and Spyne, rpc/encoded on Apache Axis 1.4, SOAP::Lite and PHP's SoapServer. The shipped mappings are used as they
 * stand, and copied and changed as their users would.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { isMissing } from "../support/requirement.ts";
import { startAxisServer } from "../support/soap/axis.ts";
import {
  type SoapServer,
  type SoapVersion,
  startNodeSoapServer,
  startPhpRpcServer,
  startPhpSoapServer,
  startSoapLiteServer,
  startSpyneServer,
} from "../support/soap/servers.ts";
import { freePort } from "../support/temporary.ts";

/** A copy of a shipped mapping, without its examples. */
function copyOf(name: string): string {
  const shipped = readFileSync(resolve(import.meta.dirname, `../../mappings/${name}.yaml`), "utf8");
  return shipped.replace(/^examples:.*/ms, "");
}

/** The same with the rule that takes a Fault for an answer, put before the others. */
function faultAsAnswer(mapping: string, version: SoapVersion): string {
  const code = version === "1.1" ? "Client" : "Sender";
  const rule = `  - when: fault != null && fault.code == "${code}"\n    action: REJECT 5.7.1 \${fault.reason}\n`;
  return mapping.replace(/^response:\n/m, `response:\n${rule}`);
}

/** PHP calls what a method returns `return`, wherever nothing describes it. */
function rpcCopyFor(version: SoapVersion): string {
  const namespace = "http://www.w3.org/2003/05/soap-encoding";
  const copy = copyOf("axis").replaceAll("checkReturn", "return").replaceAll(".return", '["return"]');
  if (version === "1.1") return copy;
  return copy
    .replace('version: "1.1"', 'version: "1.2"')
    .replace("http://schemas.xmlsoap.org/soap/encoding/", namespace);
}

interface Case {
  readonly server: string;
  readonly version: SoapVersion;
  readonly start: () => Promise<SoapServer>;
  /** A shipped one by its name, or the text of another. */
  readonly mapping: string;
  /** Each server answers a Fault with the status that it thinks right; a Fault without a rule is trouble. */
  readonly trouble: "http_5xx" | "bad_reply";
  readonly isSkipped: boolean;
}

const VERSIONS = ["1.1", "1.2"] as const;
const noPhp = isMissing("php", "tests with PHP's SoapServer");
const noSpyne = isMissing("spyne", "tests with Spyne");

const cases: readonly Case[] = [
  ...VERSIONS.flatMap((version): Case[] => {
    const mapping = version === "1.1" ? "soap" : "soap12";
    const common = { version, mapping, trouble: "http_5xx" } as const;
    return [
      {
        ...common,
        server: "PHP's SoapServer",
        start: () => startPhpSoapServer(version),
        isSkipped: noPhp,
      },
      { ...common, server: "Spyne", start: () => startSpyneServer(version), isSkipped: noSpyne },
      {
        ...common,
        server: "the npm package soap",
        start: () => startNodeSoapServer(version),
        trouble: "bad_reply",
        isSkipped: false,
      },
      {
        ...common,
        server: "PHP's SoapServer without a description",
        start: () => startPhpRpcServer(version),
        mapping: rpcCopyFor(version),
        isSkipped: noPhp,
      },
    ];
  }),
  {
    server: "Apache Axis 1.4",
    version: "1.1",
    start: startAxisServer,
    mapping: "axis",
    trouble: "http_5xx",
    isSkipped: isMissing("axis", "tests with Apache Axis"),
  },
  {
    server: "SOAP::Lite",
    version: "1.1",
    start: startSoapLiteServer,
    // It finds the class by the namespace, and the method by the action.
    mapping: copyOf("axis").replace('action: ""', "action: urn:example:mail-authorization#check"),
    trouble: "http_5xx",
    isSkipped: isMissing("soapLite", "tests with SOAP::Lite"),
  },
];

for (const { server, start, mapping, trouble, isSkipped, version } of cases) {
  describe.skipIf(isSkipped)(`${server}, SOAP ${version}`, () => {
    const isShipped = !mapping.includes("\n");
    let soap: SoapServer;
    let bridge: Bridge;
    let port: number;
    let faultPort: number;

    beforeAll(async () => {
      soap = await start();
      port = await freePort();
      faultPort = await freePort();
      bridge = await startBridge({
        config: {
          listen: [`inet:127.0.0.1:${port}`, { endpoint: `inet:127.0.0.1:${faultPort}`, name: "faults" }],
          services: {
            plain: {
              url: soap.url,
              mapping: isShipped ? mapping : "./copy.yaml",
              retry: { attempts: 1 },
            },
            faults: { url: soap.url, mapping: "./faults.yaml" },
          },
          routes: [{ when: 'listener == "faults"', service: "faults" }, { service: "plain" }],
        },
        files: {
          "copy.yaml": isShipped ? "" : mapping,
          "faults.yaml": faultAsAnswer(isShipped ? copyOf(mapping) : mapping, version),
        },
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
