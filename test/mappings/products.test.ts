/** What the mappings that are used as they are have in common, and what they make of a reply of another shape: never a permit. */
import { describe, expect, it } from "vitest";
import { isFailure } from "../../src/mapping/mapping.ts";
import { json } from "../mapping/replies.ts";
import { loadShipped, requestOf } from "./shipped.ts";

interface Product {
  readonly name: string;
  /** The reply whose decision, and whose obligations if any, are these. */
  reply(decision: unknown, obligations?: unknown): unknown;
  readonly permit: unknown;
  readonly deny: unknown;
  readonly hostile: readonly unknown[];
}

const cerbos = (effect: unknown, obligations?: unknown, result: object = {}) => ({
  results: [
    {
      actions: { rcpt: effect },
      ...(obligations !== undefined && {
        outputs: [
          { src: "x", val: "a text" },
          { src: "y", val: { obligations } },
        ],
      }),
      ...result,
    },
  ],
});
const cedar = (decision: unknown, obligations?: unknown) => ({
  decision,
  diagnostics: { reason: ["p"], errors: [] },
  obligations,
});
const authzen = (decision: unknown, obligations?: unknown) => ({ decision, context: { obligations } });
const opa = (allow: unknown, obligations?: unknown) => ({ result: { allow, obligations } });

const PRODUCTS: readonly Product[] = [
  {
    name: "authzen",
    reply: authzen,
    permit: true,
    deny: false,
    hostile: [
      { decisions: [true] },
      { evaluations: [{ decision: true }] },
      { decision: true, context: [{ obligations: ["archive"] }] },
    ],
  },
  {
    name: "cerbos",
    reply: cerbos,
    permit: "EFFECT_ALLOW",
    deny: "EFFECT_DENY",
    hostile: [
      { results: [] },
      { results: {} },
      { results: "EFFECT_ALLOW" },
      { results: [{}] },
      { results: [{ actions: [] }] },
      { results: [{ actions: {} }] },
      { results: [{ actions: ["EFFECT_ALLOW"] }] },
      { results: [{ actions: "EFFECT_ALLOW" }] },
      { results: [{ actions: { rcpt: "EFFECT_ALLOW", data: "EFFECT_DENY" } }] },
      { results: [...cerbos("EFFECT_ALLOW").results, ...cerbos("EFFECT_DENY").results] },
      cerbos("EFFECT_NO_MATCH"),
      cerbos("EFFECT_UNSPECIFIED"),
      cerbos("effect_allow"),
      cerbos("EFFECT_ALLOW", undefined, { outputs: [{ src: "x", error: "no such key" }] }),
      cerbos("EFFECT_ALLOW", undefined, { outputs: { src: "x", error: "no such key" } }),
    ],
  },
  {
    name: "opa",
    reply: opa,
    permit: true,
    deny: false,
    hostile: [
      { result: null },
      { result: "true" },
      { result: "allow" },
      { result: 1 },
      { result: [true] },
      { result: [] },
      { result: {} },
      { result: "" },
      { result: { allowed: true } },
      { result: { result: true } },
      { decision_id: "1" },
      { warning: { code: "api_usage_warning" } },
    ],
  },
  {
    name: "cedar",
    reply: cedar,
    permit: "Allow",
    deny: "Deny",
    hostile: [
      { decision: "Allowed" },
      { decision: "aLLOW" },
      { diagnostics: { reason: [], errors: [] } },
      { response: { decision: "Allow" } },
      { ...cedar("Allow"), diagnostics: { errors: ["while evaluating policy p: …"] } },
      { ...cedar("Deny"), diagnostics: { errors: ["while evaluating policy p: …"] } },
      { ...cedar("Allow"), diagnostics: { errors: "while evaluating policy p: …" } },
    ],
  },
];

describe.each(PRODUCTS)("$name", ({ name, reply, permit, deny, hostile }) => {
  async function outcome(value: unknown, parameters: Record<string, unknown> = {}): Promise<string> {
    const mapping = await loadShipped(name, parameters);
    const verdict = await mapping.interpret(json(200, value), requestOf({ sender: "a@example.net" }));
    return isFailure(verdict) ? verdict.cause : verdict.action;
  }

  it.each([
    [{}, "DUNNO", "REJECT 5.7.1 Not authorized"],
    [{ permit: "OK" }, "OK", "REJECT 5.7.1 Not authorized"],
    [{ permit: "OK", deny: "DUNNO" }, "OK", "DUNNO"],
    [{ permit: "ok" }, "bad_reply", "REJECT 5.7.1 Not authorized"],
    [{ deny: "OK" }, "DUNNO", "REJECT 5.7.1 Not authorized"],
  ])("with %j permits by %s and denies by %s", async (parameters, permitted, denied) => {
    expect(await outcome(reply(permit), parameters)).toBe(permitted);
    expect(await outcome(reply(deny), parameters)).toBe(denied);
  });

  it.each(hostile)("permits nobody by %j", async (value) => {
    for (const parameters of [{}, { permit: "OK", deny: "DUNNO", unknown_obligation: "deny" }]) {
      expect(await outcome(value, parameters)).toBe("bad_reply");
    }
  });

  it.each([[null], ["true"], [1], [0], [[]], [{}], [[permit]], [{ value: permit }]])(
    "permits nobody by a decision that is %j",
    async (decision) => {
      expect(await outcome(reply(decision))).toBe("bad_reply");
    },
  );

  it.each([
    [["archive"], "bad_reply", "REJECT 5.7.1 Not authorized", "OK"],
    ["archive", "bad_reply", "REJECT 5.7.1 Not authorized", "OK"],
    [[{ type: "archive", id: "1" }], "bad_reply", "REJECT 5.7.1 Not authorized", "OK"],
    [
      [{ type: "other", id: "archive" }],
      "bad_reply",
      "REJECT 5.7.1 Not authorized",
      "REJECT 5.7.1 Not authorized",
    ],
    [["archive", "other"], "bad_reply", "REJECT 5.7.1 Not authorized", "REJECT 5.7.1 Not authorized"],
    [[null], "bad_reply", "REJECT 5.7.1 Not authorized", "REJECT 5.7.1 Not authorized"],
    [true, "bad_reply", "REJECT 5.7.1 Not authorized", "REJECT 5.7.1 Not authorized"],
    [[], "DUNNO", "OK", "OK"],
  ])("has the obligations %j for %s, %s and %s", async (obligations, byDefault, denying, fulfilling) => {
    const value = reply(permit, obligations);
    const denies = { permit: "OK", unknown_obligation: "deny" };
    expect(await outcome(value)).toBe(byDefault);
    expect(await outcome(value, denies)).toBe(denying);
    expect(await outcome(value, { ...denies, obligations: ["archive"] })).toBe(fulfilling);
    const denied = obligations.constructor === Array && obligations.length === 0 ? "OK" : "DUNNO";
    expect(await outcome(value, { ...denies, deny: "DUNNO" })).toBe(denied);
    expect(await outcome(reply(deny, obligations))).toBe("REJECT 5.7.1 Not authorized");
  });

  it("has no bare text for a decision of its own making: nothing of a reply becomes an action", async () => {
    expect(await outcome({ action: "OK", decision: "OK", result: "OK", results: ["OK"] })).toBe("bad_reply");
  });
});

describe("opa", () => {
  it.each([
    [{}, "bad_reply"],
    [{ undefined: "deny" }, "REJECT 5.7.1 Not authorized"],
    [{ undefined: "deny", deny: "DUNNO" }, "DUNNO"],
    [{ undefined: "permit" }, "bad_reply"],
  ])("with %j takes a rule that is undefined for %s", async (parameters, expected) => {
    const verdict = await (await loadShipped("opa", parameters)).interpret(json(200, {}), requestOf({}));
    expect(isFailure(verdict) ? verdict.cause : verdict.action).toBe(expected);
  });

  it.each([[[]], ["undefined"], [null], [true]])("takes %j for no undefined rule", async (value) => {
    const verdict = await (await loadShipped("opa", { undefined: "deny" })).interpret(
      json(200, value),
      requestOf({}),
    );
    expect(verdict).toMatchObject({ cause: "bad_reply" });
  });
});
