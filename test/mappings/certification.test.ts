/**
 * The asking side of AuthZEN, against a decision point made after the certification scenario of the specification: its
 * decisions come through, alone and in batches, and nothing that a hostile or broken one replies becomes a permit.
 */
import { readFile } from "node:fs/promises";
import Ajv from "ajv/dist/2020.js";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { open } from "../decision/bridge.ts";
import { type Spoil, startPdp } from "../support/pdp.ts";
import type { Answer, Call } from "../support/service.ts";
import requestSchema from "./evaluation-request.schema.json" with { type: "json" };

const AUTHZEN = parse(await readFile(new URL("../../mappings/authzen.yaml", import.meta.url), "utf8"));
/** The shipped mapping with the scenario's own properties, which no mail has. */
const WITH_PROPERTIES = {
  ...AUTHZEN,
  request: {
    ...AUTHZEN.request,
    json: {
      subject: {
        type: "user",
        id: "${sasl_username}",
        properties: { role: '${attributes[?"role"].orValue("")}' },
      },
      action: {
        name: '${attributes["verb"]}',
        properties: {
          soft: '${attributes[?"soft"].hasValue() ? dyn(attributes["soft"] == "true") : dyn("")}',
        },
      },
      resource: {
        type: "record",
        id: "${recipient}",
        properties: { status: '${attributes[?"status"].orValue("")}' },
      },
      context: AUTHZEN.request.json.context,
    },
  },
  examples: undefined,
};

const PERMIT = "DUNNO";
const DENIAL = "REJECT 5.7.1 Not authorized";
const FAILURE = "DEFER 4.3.0";

/** The eight decisions that the scenario looks at. */
const FIXTURE: readonly [string, Record<string, string>, string][] = [
  ["1: alice reads", { sasl_username: "alice", verb: "read", recipient: "record-1" }, PERMIT],
  ["2: alice writes", { sasl_username: "alice", verb: "write", recipient: "record-1" }, PERMIT],
  ["3: bob reads", { sasl_username: "bob", verb: "read", recipient: "record-1" }, PERMIT],
  ["4: bob writes", { sasl_username: "bob", verb: "write", recipient: "record-1" }, DENIAL],
  [
    "5: alice writes what is archived",
    { sasl_username: "alice", verb: "write", recipient: "record-2", status: "archived" },
    DENIAL,
  ],
  [
    "6: an admin does",
    { sasl_username: "bob", role: "admin", verb: "write", recipient: "record-2", status: "archived" },
    PERMIT,
  ],
  [
    "7: alice deletes softly",
    { sasl_username: "alice", verb: "delete", recipient: "record-1", soft: "true" },
    PERMIT,
  ],
  [
    "8: alice deletes for good",
    { sasl_username: "alice", verb: "delete", recipient: "record-1", soft: "false" },
    DENIAL,
  ],
];

const validRequest = new Ajv.default({ strict: false, allErrors: true }).compile(requestSchema);

/** Each question, those of a batch with what they share, is one of the specification's. */
function expectValid({ url, json }: Call): void {
  const { evaluations, options, ...shared } = json as { evaluations?: object[]; options?: object };
  expect(evaluations !== undefined).toBe(url.endsWith("/evaluations"));
  if (evaluations !== undefined) {
    expect(evaluations.length).toBeGreaterThan(1);
    expect([undefined, { evaluations_semantic: "execute_all" }]).toContainEqual(options);
  }
  for (const own of evaluations ?? [{}]) {
    const question = { ...shared, ...own };
    expect(validRequest(question), JSON.stringify([validRequest.errors, question])).toBe(true);
  }
}

async function asking(spoil?: Spoil, service: object = {}) {
  const pdp = await startPdp(spoil);
  onTestFinished(async () => {
    await pdp.stop();
    pdp.calls.forEach(expectValid);
  });
  const corp = {
    url: pdp.url,
    mapping: "./mine.yaml",
    retry: { attempts: 1 },
    on_failure: { default: FAILURE },
    ...service,
  };
  const { ask, lines } = await open({ services: { corp } }, { "mine.yaml": WITH_PROPERTIES });
  return { pdp, ask, decisions: () => lines.filter(({ msg }) => msg === "decision") };
}

const BATCHING = { batch: { max: FIXTURE.length, wait: "1s" } };
/** Alone, and in a batch with another whose decision is a denial. */
const [, ALICE_READS] = FIXTURE[0] ?? [];
const [, BOB_WRITES] = FIXTURE[3] ?? [];

describe("the decisions of the scenario", () => {
  it("come through, one by one", async () => {
    const { pdp, ask } = await asking();
    for (const [rule, attributes, action] of FIXTURE)
      expect([rule, await ask(attributes)]).toEqual([rule, action]);
    expect(pdp.calls.map(({ url }) => url)).toEqual(FIXTURE.map(() => "/access/v1/evaluation"));
  });

  it("come through in batches, each to whom it belongs", async () => {
    const { pdp, ask, decisions } = await asking(undefined, BATCHING);
    const actions = await Promise.all(FIXTURE.map(([, attributes]) => ask(attributes)));
    expect(actions).toEqual(FIXTURE.map(([, , action]) => action));
    const batches = pdp.calls.filter(({ url }) => url.endsWith("s"));
    const ids = new Set(batches.map(({ headers }) => headers["x-request-id"]));
    expect(batches.length).toBeGreaterThan(0);
    // Entities of one id with other properties go apart, the last of them perhaps alone.
    const named = decisions().flatMap(({ batch_id }) => batch_id ?? []);
    expect(named.length).toBeGreaterThan(0);
    for (const id of named) expect(ids).toContain(id);
  });

  it("are the same each time", async () => {
    const { ask } = await asking();
    for (let n = 0; n < 3; n++) expect(await ask(ALICE_READS)).toBe(PERMIT);
  });
});

/** For one evaluation and, inside a batch, for each. */
const replies =
  (make: (decision: unknown) => unknown): Spoil =>
  (honest) => ({ ...honest, body: whole(honest.body, make) as object });

function whole(body: Answer["body"], make: (decision: unknown) => unknown): unknown {
  const { evaluations, decision } = body as { evaluations?: { decision: unknown }[]; decision?: unknown };
  return evaluations === undefined
    ? make(decision)
    : { evaluations: evaluations.map((each) => make(each.decision)) };
}

describe("no permit comes of", () => {
  it.each<[string, Spoil]>([
    ["a text", replies((decision) => ({ decision: String(decision) }))],
    ["a number", replies((decision) => ({ decision: Number(decision) }))],
    ["a list", replies((decision) => ({ decision: [decision] }))],
    ["an object", replies((decision) => ({ decision: { decision } }))],
    ["null", replies(() => ({ decision: null }))],
    ["nothing", replies(() => ({}))],
    ["the name in capitals", replies((decision) => ({ Decision: decision }))],
    ["a list of decisions", replies((decision) => [{ decision }])],
    ["a bare decision", replies((decision) => decision)],
    ["a permit with an error", replies((decision) => ({ decision, context: { error: { status: 500 } } }))],
    [
      "a permit with an obligation",
      replies((decision) => ({ decision, context: { obligations: [{ id: "1", type: "step-up" }] } })),
    ],
    ["a permit whose context is a text", replies((decision) => ({ decision, context: "step-up" }))],
    [
      "two decisions",
      (honest) => ({
        ...honest,
        headers: { ...honest.headers, "content-type": "application/json" },
        body: JSON.stringify(honest.body).replaceAll(/("decision":)(true|false)/g, "$1false,$1true"),
      }),
    ],
    [
      "a reply that is cut off",
      (honest) => ({
        ...honest,
        headers: { ...honest.headers, "content-type": "application/json" },
        body: JSON.stringify(honest.body).slice(0, -1),
      }),
    ],
    [
      "a web page",
      (honest) => ({
        ...honest,
        headers: { ...honest.headers, "content-type": "text/html" },
        body: JSON.stringify(honest.body),
      }),
    ],
    ["an empty reply", (honest) => ({ ...honest, body: "" })],
    [
      "another's reply",
      (honest) => ({ ...honest, headers: { "x-request-id": "bfe9eb29-ab87-4ca3-be83-a1d5d8305716" } }),
    ],
    ["another status", (honest) => ({ ...honest, status: 403 })],
    ["a created reply without a decision", () => ({ status: 201, body: {} })],
    [
      "a redirect to one who permits",
      (honest) => ({ ...honest, status: 307, headers: { location: "/access/v1/evaluation?" } }),
    ],
    [
      "a batch where one was asked",
      (honest, { url }) =>
        url.endsWith("s") ? { status: 404 } : { ...honest, body: { evaluations: [honest.body] } },
    ],
  ])("%s, alone or in a batch", async (_name, spoil) => {
    for (const service of [{}, { batch: { max: 2, wait: "1s" } }]) {
      const { ask } = await asking(spoil, service);
      const actions = await Promise.all([ask(ALICE_READS), ask(BOB_WRITES)]);
      expect(actions[0]).not.toBe(PERMIT);
      expect(actions[1]).not.toBe(PERMIT);
    }
  });
});

describe("a batch whose reply is", () => {
  const inBatches =
    (spoil: (evaluations: object[]) => unknown): Spoil =>
    (honest, { url }) =>
      url.endsWith("s")
        ? { ...honest, body: spoil((honest.body as { evaluations: object[] }).evaluations) as object }
        : honest;

  it.each<[string, Spoil]>([
    ["ended at the first denial", inBatches((all) => ({ evaluations: all.slice(0, 1) }))],
    ["one too many", inBatches((all) => ({ evaluations: [{ decision: true }, ...all] }))],
    ["no list", inBatches((all) => ({ evaluations: { ...all } }))],
    ["one too many at the end", inBatches((all) => ({ evaluations: [...all, { decision: true }] }))],
    ["empty", inBatches(() => ({ evaluations: [] }))],
    ["a list in a list", inBatches((all) => ({ evaluations: [all] }))],
    ["a list alone", inBatches((all) => all)],
    ["one decision for all", inBatches(() => ({ decision: true }))],
    [
      "one decision for all beside others",
      inBatches((all) => ({ decision: true, evaluations: all.slice(1) })),
    ],
    [
      "an error for each",
      inBatches((all) => ({
        evaluations: all.map(() => ({ decision: false, context: { error: "LDAP timeout" } })),
      })),
    ],
    [
      "another batch's",
      (honest, { url }) =>
        url.endsWith("s")
          ? {
              ...honest,
              headers: { "x-request-id": "another" },
              body: { evaluations: [{ decision: true }, { decision: true }] },
            }
          : honest,
    ],
    ["a refusal", (honest, { url }) => (url.endsWith("s") ? { status: 400 } : honest)],
  ])("%s leaves each evaluation its own decision, asked for alone", async (_name, spoil) => {
    const { pdp, ask, decisions } = await asking(spoil, { batch: { max: 2, wait: "1s" } });
    expect(await Promise.all([ask(ALICE_READS), ask(BOB_WRITES)])).toEqual([PERMIT, DENIAL]);
    expect(pdp.calls.map(({ url }) => url)).toEqual([
      "/access/v1/evaluations",
      "/access/v1/evaluation",
      "/access/v1/evaluation",
    ]);
    expect(decisions().map(({ attempts, batch_id }) => [attempts, batch_id])).toEqual([
      [2, pdp.calls[0]?.headers["x-request-id"]],
      [2, pdp.calls[0]?.headers["x-request-id"]],
    ]);
  });
});

describe("an evaluation that fails", () => {
  const failing: Spoil = (honest, _call, { subject }) =>
    subject?.id !== "alice"
      ? { ...honest, body: { decision: false, context: { error: { message: "LDAP timeout" } } } }
      : honest;

  it("is no denial, is tried again, and is not remembered", async () => {
    const { pdp, ask, decisions } = await asking(failing, {
      retry: { attempts: 2, backoff: "1ms" },
      cache: {},
    });
    expect(await ask(BOB_WRITES)).toBe(FAILURE);
    expect(await ask(BOB_WRITES)).toBe(FAILURE);
    expect(pdp.calls).toHaveLength(4);
    expect(decisions()).toMatchObject([
      { cause: "http_5xx", status: 200, attempts: 2, detail: expect.stringContaining("LDAP timeout") },
      { cause: "http_5xx", attempts: 2 },
    ]);
  });

  it("opens the circuit where others do, too", async () => {
    const breaker = { failure_rate: 50, minimum_calls: 2, window: "10s", open_for: "5s" };
    const { ask, decisions } = await asking(failing, { breaker });
    for (let n = 0; n < 6; n++)
      await ask({ ...BOB_WRITES, sasl_username: `user${n}`, client_address: `10.${n}.0.1` });
    expect(decisions().at(-1)).toMatchObject({ cause: "circuit_open" });
  });

  it("is answered by what is remembered, where that is allowed", async () => {
    let well = true;
    const { ask, decisions } = await asking(
      (honest, call, question) => (well ? honest : failing(honest, call, question)),
      {
        cache: { ttl: "1ms", stale_if_error: "1h" },
      },
    );
    expect(await ask(BOB_WRITES)).toBe(DENIAL);
    well = false;
    await expect.poll(() => ask(BOB_WRITES)).toBe(DENIAL);
    await expect.poll(() => decisions().at(-1)).toMatchObject({ source: "stale", cause: "http_5xx" });
  });
});
