/** A real policy decision point answers: the authzen mapping against Cerbos and its policies. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { type Cerbos, startCerbos } from "../support/cerbos.ts";
import { freePort } from "../support/temporary.ts";

/**
 * Who logged in may send to any mailbox; others only from the own network to the own domain, and never
 * in the name of the own domain.
 */
const MAILBOX_POLICY = {
  apiVersion: "api.cerbos.dev/v1",
  resourcePolicy: {
    resource: "mailbox",
    version: "default",
    rules: [
      {
        actions: ["rcpt"],
        effect: "EFFECT_ALLOW",
        roles: ["*"],
        condition: { match: { expr: "P.attr.authenticated" } },
      },
      {
        actions: ["rcpt"],
        effect: "EFFECT_ALLOW",
        roles: ["*"],
        condition: {
          match: {
            all: {
              of: [
                { expr: 'P.attr.client_address.inIPAddrRange("192.0.2.0/24")' },
                { expr: 'R.attr.domain == "example.org"' },
                { expr: '!(has(P.attr.sender_domain) && P.attr.sender_domain == "example.org")' },
              ],
            },
          },
        },
      },
    ],
  },
};

describe("Cerbos decides by its policies", () => {
  let cerbos: Cerbos;
  let bridge: Bridge;
  let port: number;

  beforeAll(async () => {
    cerbos = await startCerbos([MAILBOX_POLICY]);
    port = await freePort();
    bridge = await startBridge({
      config: {
        listen: [`inet:127.0.0.1:${port}`],
        services: { cerbos: { url: cerbos.url, mapping: "authzen" } },
      },
    });
  });

  afterAll(async () => {
    await bridge?.stop();
    await cerbos?.stop();
  });

  const own = { client_address: "192.0.2.7" };
  const foreign = { client_address: "198.51.100.9" };
  const mail = { sender: "alice@example.net", recipient: "bob@example.org" };
  const login = { sasl_method: "PLAIN", sasl_username: "carol" };

  it.each([
    ["a stranger in the own network", { ...own, ...mail }],
    ["a bounce from the own network", { ...own, ...mail, sender: "" }],
    [
      "a user who logged in, from anywhere to anywhere",
      { ...foreign, ...login, ...mail, recipient: "d@example.com" },
    ],
  ])("permits %s", async (_who, attributes) => {
    expect(await ask(port, attributes)).toBe("DUNNO");
    await expect
      .poll(() => bridge.decisions().at(-1), LOGGED)
      .toMatchObject({ source: "upstream", service: "cerbos", status: 200 });
  });

  it.each([
    ["a stranger from elsewhere", { ...foreign, ...mail }],
    ["mail to another domain", { ...own, ...mail, recipient: "d@example.com" }],
    ["a stranger in the name of the own domain", { ...own, ...mail, sender: "ceo@example.org" }],
    ["a stranger who claims a login name as sender", { ...foreign, ...mail, sender: "carol" }],
    ["an action that no policy names", { ...own, ...mail, protocol_state: "VRFY" }],
  ])("denies %s", async (_who, attributes) => {
    expect(await ask(port, attributes)).toBe("REJECT 5.7.1 Not authorized");
    await expect
      .poll(() => bridge.decisions().at(-1), LOGGED)
      .toMatchObject({ source: "upstream", service: "cerbos", status: 200 });
  });

  it("answers a batch as it would have answered each call alone", async () => {
    const port = await freePort();
    const batching = await startBridge({
      config: {
        listen: [`inet:127.0.0.1:${port}`],
        services: { cerbos: { url: cerbos.url, mapping: "authzen", batch: { max: 20, wait: "50ms" } } },
      },
    });
    try {
      const clients = [...Array(20).keys()].map((i) => (i % 3 === 0 ? foreign : own));
      const answers = await Promise.all(clients.map((client) => ask(port, { ...client, ...mail })));
      expect(answers.map((answer) => answer.startsWith("DUNNO"))).toEqual(
        clients.map((client) => client === own),
      );
      expect(batching.log().some(({ msg }) => String(msg).includes("takes no batch"))).toBe(false);
    } finally {
      await batching.stop();
    }
  });
});
