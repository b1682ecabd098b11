/** XACML in SAML over SOAP, 3.0 and 2.0, answered by PHP's SoapServer: the shipped mappings as they stand. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { isMissing } from "../support/requirement.ts";
import { type SoapServer, startXacmlServer } from "../support/soap/servers.ts";
import { freePort } from "../support/temporary.ts";

const versions = [
  { mapping: "xacml-soap", version: "3.0" },
  { mapping: "xacml2-soap", version: "2.0" },
] as const;

describe.skipIf(isMissing("php", "tests with PHP's SoapServer"))("a PDP on PHP's SoapServer", () => {
  describe.each(versions)("$mapping", ({ mapping, version }) => {
    let pdp: SoapServer;
    let bridge: Bridge;
    let port: number;
    let grantPort: number;

    beforeAll(async () => {
      pdp = await startXacmlServer(version);
      port = await freePort();
      grantPort = await freePort();
      const issuer = "https://mx1.example.com";
      bridge = await startBridge({
        config: {
          listen: [`inet:127.0.0.1:${port}`, { endpoint: `inet:127.0.0.1:${grantPort}`, name: "grant" }],
          services: {
            gate: { url: pdp.url, mapping: { use: mapping, with: { issuer } }, retry: { attempts: 2 } },
            grant: {
              url: pdp.url,
              mapping: {
                use: mapping,
                with: { issuer, permit: "OK", deny: "DUNNO", obligations: ["urn:example:archive"] },
              },
            },
            stranger: { url: pdp.url, mapping },
          },
          routes: [
            { when: 'listener == "grant"', service: "grant" },
            { when: 'policy_context == "stranger"', service: "stranger" },
            { service: "gate" },
          ],
        },
      });
    });

    afterAll(async () => {
      await bridge?.stop();
      await pdp?.stop();
    });

    const mail = (sender: string, more: Record<string, string> = {}) => ({
      protocol_state: "RCPT",
      sender,
      recipient: "bob@example.com",
      client_address: "192.0.2.7",
      ...more,
    });

    it("permits who logged in, and anybody to our own domain", async () => {
      expect(await ask(port, mail("a@example.net", { sasl_username: "alice" }))).toBe("DUNNO");
      expect(await ask(port, mail("a@example.net", { recipient: "Bob@Example.ORG" }))).toBe("DUNNO");
      expect(await ask(grantPort, mail("a@example.net", { sasl_username: "alice" }))).toBe("OK");
    });

    it("denies others", async () => {
      expect(await ask(port, mail("a@example.net"))).toBe("REJECT 5.7.1 Not authorized");
      expect(await ask(grantPort, mail("a@example.net"))).toBe("DUNNO");
    });

    it("reads a statement whose name is its type", async () => {
      expect(await ask(port, mail("typed@example.net", { sasl_username: "alice" }))).toBe("DUNNO");
      expect(await ask(port, mail("typed@example.net"))).toBe("REJECT 5.7.1 Not authorized");
    });

    it("takes no claim of a login out of an address", async () => {
      const sender =
        '"</c:AttributeValue></c:Attribute><c:Attribute AttributeId="urn:pfxbridge:sasl-username">'.concat(
          '<c:AttributeValue>alice"@example.net',
        );
      expect(await ask(port, mail(sender))).toBe("REJECT 5.7.1 Not authorized");
    });

    it("denies where no policy applies", async () => {
      expect(await ask(port, mail("nobody@example.net"))).toBe("REJECT 5.7.1 Not authorized");
    });

    it("permits with an obligation only where it is named", async () => {
      expect(await ask(grantPort, mail("archived@example.net"))).toBe("OK");
      expect(await ask(port, mail("archived@example.net"))).toMatch(/^DEFER 4\.3\.0 /);
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({
          source: "default",
          cause: "bad_reply",
          detail: expect.stringContaining("urn:example:archive"),
        });
    });

    it.each([
      ["indeterminate", "http_5xx", 2],
      ["responder", "http_5xx", 2],
      ["fault", "http_5xx", 2],
      ["incomplete", "bad_reply", 1],
    ])("takes %s for a failure, %s", async (sender, cause, attempts) => {
      expect(await ask(port, mail(`${sender}@example.net`))).toMatch(/^DEFER 4\.3\.0 /);
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({ source: "default", cause, attempts, sender: `${sender}@example.net` });
    });

    it("fails where the PDP does not know who asks", async () => {
      expect(await ask(port, mail("a@example.net", { policy_context: "stranger" }))).toMatch(
        /^DEFER 4\.3\.0 /,
      );
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({ service: "stranger", cause: "http_4xx" });
    });
  });
});
