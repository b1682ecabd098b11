/** A real policy decision point answers: the mappings authzen and cerbos against Cerbos and its policies. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ask } from "../support/ask.ts";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { type Cerbos, startCerbos } from "../support/cerbos.ts";
import { type Case, FIRST_POLICY, FOREIGN, firstPolicy, MAIL, OWN } from "../support/first-policy.ts";
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

describe("Cerbos decides by its policies, asked by AuthZEN", () => {
  let cerbos: Cerbos;
  let bridge: Bridge;
  let port: number;

  beforeAll(async () => {
    cerbos = await startCerbos([MAILBOX_POLICY]);
    port = await freePort();
    bridge = await startBridge({
      config: {
        listen: [`inet:127.0.0.1:${port}`],
        services: { cerbos: { url: cerbos.url, mapping: "authzen", discover: "authzen" } },
      },
    });
  });

  afterAll(async () => {
    await bridge?.stop();
    await cerbos?.stop();
  });

  const login = { sasl_method: "PLAIN", sasl_username: "carol" };

  it.each([
    ["a stranger in the own network", { ...OWN, ...MAIL }],
    ["a bounce from the own network", { ...OWN, ...MAIL, sender: "" }],
    [
      "a user who logged in, from anywhere to anywhere",
      { ...FOREIGN, ...login, ...MAIL, recipient: "d@example.com" },
    ],
  ])("permits %s", async (_who, attributes) => {
    expect(await ask(port, attributes)).toBe("DUNNO");
    await expect
      .poll(() => bridge.decisions().at(-1), LOGGED)
      .toMatchObject({ source: "upstream", service: "cerbos", status: 200 });
  });

  it.each([
    ["a stranger from elsewhere", { ...FOREIGN, ...MAIL }],
    ["mail to another domain", { ...OWN, ...MAIL, recipient: "d@example.com" }],
    ["a stranger in the name of the own domain", { ...OWN, ...MAIL, sender: "ceo@example.org" }],
    ["a stranger who claims a login name as sender", { ...FOREIGN, ...MAIL, sender: "carol" }],
    ["an action that no policy names", { ...OWN, ...MAIL, protocol_state: "VRFY" }],
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
        services: {
          cerbos: {
            url: cerbos.url,
            mapping: "authzen",
            discover: "authzen",
            batch: { max: 20, wait: "50ms" },
          },
        },
      },
    });
    try {
      const clients = [...Array(20).keys()].map((i) => (i % 3 === 0 ? FOREIGN : OWN));
      const answers = await Promise.all(clients.map((client) => ask(port, { ...client, ...MAIL })));
      expect(answers.map((answer) => answer.startsWith("DUNNO"))).toEqual(
        clients.map((client) => client === OWN),
      );
      expect(batching.log().some(({ msg }) => String(msg).includes("takes no batch"))).toBe(false);
    } finally {
      await batching.stop();
    }
  });
});

/** What the output of a rule can say. */
const WITH_OUTPUTS = {
  apiVersion: "api.cerbos.dev/v1",
  resourcePolicy: {
    resource: "mail_server",
    version: "default",
    rules: [
      ["helo", '{"obligations": ["archive"]}'],
      ["mail", '{"obligations": [R.attr.nothing]}'],
      ["connect", '{"reason": "fine"}'],
    ].map(([action, output]) => ({
      actions: [action],
      effect: "EFFECT_ALLOW",
      roles: ["*"],
      output: { when: { ruleActivated: output } },
    })),
  },
};
/** Goes by the principal's id, whatever the role. */
const PRIVILEGED = {
  apiVersion: "api.cerbos.dev/v1",
  principalPolicy: {
    principal: "ceo@example.org",
    version: "default",
    rules: [{ resource: "mailbox", actions: [{ action: "*", effect: "EFFECT_ALLOW" }] }],
  },
};

describe("Cerbos decides by the policy of the guide, asked by its own API", () => {
  let cerbos: Cerbos;
  let bridge: Bridge;
  const ports: number[] = [];

  beforeAll(async () => {
    cerbos = await startCerbos([parse(firstPolicy("yaml cerbos")), WITH_OUTPUTS, PRIVILEGED]);
    ports.push(await freePort(), await freePort(), await freePort());
    bridge = await startBridge({
      config: {
        listen: ports.map((port) => `inet:127.0.0.1:${port}`),
        services: {
          authzen: { url: cerbos.url, mapping: "authzen" },
          plain: { url: cerbos.url, mapping: "cerbos", on_failure: { bad_reply: "DEFER bad reply" } },
          archiving: {
            url: cerbos.url,
            mapping: {
              use: "cerbos",
              with: { permit: "OK", obligations: ["archive"], unknown_obligation: "deny" },
            },
            on_failure: { bad_reply: "DEFER bad reply" },
          },
        },
        routes: [
          { when: `listener == "inet:127.0.0.1:${ports[0]}"`, service: "plain" },
          { when: `listener == "inet:127.0.0.1:${ports[1]}"`, service: "archiving" },
          { service: "authzen" },
        ],
      },
    });
  });

  afterAll(async () => {
    await bridge?.stop();
    await cerbos?.stop();
  });

  const server = { ...OWN, recipient: "", sender: "" };
  const user = { ...OWN, ...MAIL, sasl_username: "carol" };

  it.each<Case>([
    ...FIRST_POLICY,
    ["a user under another domain", user, "REJECT 5.7.1 use an address of example.org"],
    ["a permit with a reason", { ...server, protocol_state: "CONNECT" }, "DUNNO"],
    ["a permit with an obligation", { ...server, protocol_state: "HELO" }, "DEFER bad reply"],
    ["a permit whose output cannot be evaluated", { ...server, protocol_state: "MAIL" }, "DEFER bad reply"],
  ])("%s", async (_name, attributes, action) => {
    expect(await ask(ports[0] ?? 0, attributes)).toBe(action);
  });

  it.each([
    ["a permit", { ...OWN, ...MAIL }, "OK"],
    ["a permit with an obligation that is fulfilled", { ...server, protocol_state: "HELO" }, "OK"],
    ["a permit whose output cannot be evaluated", { ...server, protocol_state: "MAIL" }, "DEFER bad reply"],
  ])("%s, with other parameters", async (_name, attributes, action) => {
    expect(await ask(ports[1] ?? 0, attributes)).toBe(action);
  });

  // By AuthZEN a principal policy goes by whatever sender is claimed; the guide warns of it.
  it.each(FIRST_POLICY.filter(([, { sender }]) => sender !== "ceo@example.org"))(
    "%s, asked by AuthZEN",
    async (_name, attributes, action) => {
      expect(await ask(ports[2] ?? 0, attributes)).toBe(action);
    },
  );
});
