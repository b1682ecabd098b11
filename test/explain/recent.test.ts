/** The memory of the last decisions: what is found in it, that it is bounded, and that no secret comes out of it. */
import { expect, it } from "vitest";
import type { DecisionQuery } from "../../src/explain/query.ts";
import { RecentDecisions, together } from "../../src/explain/recent.ts";
import { Steps } from "../../src/explain/steps.ts";
import type { Decision } from "../../src/model/decision.ts";
import { policyRequest } from "../../src/model/request.ts";

const asIs = (text: string) => text;
const hiding = (secret: string) => (text: string) => text.replaceAll(secret, "***");

const DECISION: Decision = {
  action: "REJECT 5.7.1 no",
  source: "upstream",
  service: "corp",
  mapping: "gate",
  cause: undefined,
  detail: undefined,
  said: undefined,
  rule: 2,
  status: 200,
  attempts: 1,
  batchId: undefined,
  age: undefined,
};

function request(attributes: Readonly<Record<string, string>> = {}, given: object = {}) {
  const sent = { sender: "a@example.net", recipient: "b@example.org", ...attributes };
  return policyRequest(new Map(Object.entries(sent)), { host: "mx1", ...given });
}

function query(given: Partial<DecisionQuery> = {}): DecisionQuery {
  return { limit: 100, steps: false, ...given };
}

function replied(body: string, headers: ReadonlyMap<string, string> = new Map()): Steps {
  const steps = new Steps(false);
  const place = { origin: "https://authz.example.com", join: (path: string) => `/api${path}` };
  steps.onRendered({ method: "POST", path: "/check", headers: {}, body: "{}" });
  steps.onAttempt(1, place, "/check", ["authorization", "Bearer hunter2-old"], "{}");
  steps.onReply(1, { status: 200, headers, body: Buffer.from(body) }, 1.26);
  return steps;
}

async function senders(recent: RecentDecisions, given: Partial<DecisionQuery> = {}) {
  const { decisions } = await recent.find(query(given), asIs);
  return decisions.map(({ attributes }) => attributes.sender);
}

it("finds a decision by the beginning of its request_id, and shows how it came about", async () => {
  const recent = new RecentDecisions(10);
  const asked = request();
  recent.record(request(), null, DECISION, 1, asIs);
  recent.record(asked, replied('{"allowed":false}', new Map([["x-a", "b"]])), DECISION, 2.04, asIs);
  recent.record(request(), null, DECISION, 1, asIs);
  const { decisions, kept } = await recent.find(query({ id: asked.id.slice(0, 8), steps: true }), asIs);
  expect(kept).toBe(3);
  expect(decisions).toMatchObject([
    {
      request_id: asked.id,
      reference: `mx1-${asked.id.slice(0, 8)}`,
      action: "REJECT 5.7.1 no",
      ms: 2,
      attributes: { sender: "a@example.net", recipient: "b@example.org" },
      steps: {
        call: { method: "POST", path: "/check", body: "{}" },
        attempts: [
          {
            url: "https://authz.example.com/api/check",
            reply: { status: 200, headers: { "x-a": "b" }, body: '{"allowed":false}', ms: 1.3 },
          },
        ],
      },
    },
  ]);
});

it("finds by queue id, addresses, source, action, service and text, newest first", async () => {
  const recent = new RecentDecisions(10);
  recent.record(request({ sender: "first@x.example", queue_id: "4dDyN7" }), null, DECISION, 1, asIs);
  recent.record(request({ sender: "second@x.example" }), null, { ...DECISION, action: "DUNNO" }, 1, asIs);
  const failed = { ...DECISION, source: "default", service: "other", cause: "timeout" } as const;
  recent.record(request({ sender: "third@y.example" }), null, failed, 1, asIs);
  expect(await senders(recent)).toEqual(["third@y.example", "second@x.example", "first@x.example"]);
  expect(await senders(recent, { queueId: "4dDyN7" })).toEqual(["first@x.example"]);
  expect(await senders(recent, { sender: "FIRST@x.example" })).toEqual(["first@x.example"]);
  expect(await senders(recent, { recipient: "b@example.org", limit: 1 })).toEqual(["third@y.example"]);
  expect(await senders(recent, { source: "default" })).toEqual(["third@y.example"]);
  expect(await senders(recent, { action: "refused" })).toEqual(["third@y.example", "first@x.example"]);
  expect(await senders(recent, { action: "DUNNO" })).toEqual(["second@x.example"]);
  expect(await senders(recent, { service: "other" })).toEqual(["third@y.example"]);
  expect(await senders(recent, { text: "X.EXAMPLE" })).toEqual(["second@x.example", "first@x.example"]);
  expect(await senders(recent, { text: ".*" })).toEqual([]);
});

it("goes on from a cursor, and knows that of another process for another's", async () => {
  const recent = new RecentDecisions(3);
  recent.record(request({ sender: "1" }), null, DECISION, 1, asIs);
  const { cursor } = await recent.find(query(), asIs);
  expect(await senders(recent, { after: cursor })).toEqual([]);
  for (const sender of ["2", "3"]) recent.record(request({ sender }), null, DECISION, 1, asIs);
  expect(await senders(recent, { after: `99-zz.7,${cursor}` })).toEqual(["3", "2"]);
  expect(await senders(recent, { after: "99-zz.7" })).toEqual(["3", "2", "1"]);
});

it("keeps no more than it is to, and the rest when it is to keep fewer", async () => {
  const recent = new RecentDecisions(3);
  for (let n = 1; n <= 100; n++) recent.record(request({ sender: `${n}` }), null, DECISION, 1, asIs);
  expect(await senders(recent)).toEqual(["100", "99", "98"]);
  recent.resize(2);
  expect(await senders(recent)).toEqual(["100", "99"]);
  recent.resize(5);
  for (let n = 101; n <= 104; n++) recent.record(request({ sender: `${n}` }), null, DECISION, 1, asIs);
  expect(await senders(recent)).toEqual(["104", "103", "102", "101", "100"]);
  recent.resize(0);
  recent.record(request(), null, DECISION, 1, asIs);
  expect(await senders(recent)).toEqual([]);
});

it("forgets after an hour", async () => {
  const recent = new RecentDecisions(10);
  const hour = 3_600_000;
  recent.record(
    request({ sender: "old" }, { startedAt: performance.now() - hour - 1 }),
    null,
    DECISION,
    1,
    asIs,
  );
  recent.record(request({ sender: "young" }), null, DECISION, 1, asIs);
  expect(await senders(recent)).toEqual(["young"]);
});

it("is bounded in bytes, whatever is in requests and replies: the oldest go first", async () => {
  const recent = new RecentDecisions(1000, 200_000);
  for (let n = 1; n <= 50; n++) {
    const sender = `${n}`.padEnd(10_000, "x");
    recent.record(request({ sender }), replied("y".repeat(60_000)), DECISION, 1, asIs);
  }
  const found = await recent.find(query({ limit: 1000 }), asIs);
  expect(found.kept).toBeGreaterThan(5);
  expect(found.kept).toBeLessThan(20);
  expect(found.decisions[0]?.attributes.sender).toMatch(/^50x/);
});

it("keeps nothing large alive: of a long reply its beginning, copied", async () => {
  const steps = replied(`${"z".repeat(4096)}tail that is not kept`);
  steps.conclude();
  expect(steps.attempts[0]?.reply?.body.length).toBeLessThan(4200);
  const recent = new RecentDecisions(1);
  recent.record(request(), replied("ü".repeat(30_000)), DECISION, 1, asIs);
  const { decisions } = await recent.find(query({ steps: true }), asIs);
  const body = decisions[0]?.steps?.attempts[0]?.reply?.body ?? "";
  expect(body).toBe(`${"ü".repeat(2048)}… (60000 bytes)`);
});

it("shows of many attempts the first nine and the last, and says how many there were", async () => {
  const steps = new Steps(false);
  const place = { origin: "http://x", join: (path: string) => path };
  steps.onRendered({ method: "GET", path: "/", headers: {}, body: null });
  for (let n = 1; n <= 25; n++) {
    steps.onAttempt(1, place, `/${n}`, [], null);
    steps.onFailure(1, { cause: "unreachable", detail: "refused" }, 1);
  }
  const recent = new RecentDecisions(1);
  recent.record(request(), steps, DECISION, 1, asIs);
  const { decisions } = await recent.find(query({ steps: true }), asIs);
  const shown = decisions[0]?.steps;
  expect(shown?.attempts.map(({ url }) => url.slice(9))).toEqual([
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "25",
  ]);
  expect(shown?.further_attempts).toBe(15);
});

it("watches some of thousands a second, and all where there are few", () => {
  const recent = new RecentDecisions(10);
  const watched = Array.from({ length: 1000 }, (_, n) => recent.watch(n)).filter((steps) => steps !== null);
  expect(watched).toHaveLength(200);
  expect(Array.from({ length: 20 }, (_, n) => recent.watch(2000 + 10 * n))).not.toContain(null);
  expect(new RecentDecisions(0).watch(0)).toBeNull();
});

it("hears nothing any more once it is decided", () => {
  const steps = replied("{}");
  steps.conclude();
  steps.onFailure(1, { cause: "timeout", detail: "late" }, 1);
  steps.onAttempt(1, { origin: "http://x", join: (path) => path }, "/", [], null);
  expect(steps.attempts).toMatchObject([{ failure: null }]);
});

it("hides a secret that was replaced since, and one that came later, in every place and name", async () => {
  const recent = new RecentDecisions(10);
  const echo = new Map([["hunter2-old", "hunter2-old"]]);
  const asked = request({ sender: "hunter2-old@x", "hunter2-new": "x" });
  const decision = { ...DECISION, detail: "hunter2-old and hunter2-new", action: "REJECT hunter2-new" };
  recent.record(asked, replied('"hunter2-old", "hunter2-new"', echo), decision, 1, hiding("hunter2-old"));
  const found = await recent.find(query({ steps: true }), hiding("hunter2-new"));
  expect(JSON.stringify(found)).not.toContain("hunter2");
  expect(found.decisions).toHaveLength(1);
});

it("hides a token that nobody knows for one any more, as it was sent and as the reply echoes it", async () => {
  const recent = new RecentDecisions(10);
  recent.record(request(), replied('{"you":"hunter2-old"}'), DECISION, 1, asIs);
  const { decisions } = await recent.find(query({ steps: true }), asIs);
  const [attempt] = decisions[0]?.steps?.attempts ?? [];
  expect(attempt?.headers).toEqual({ authorization: "Bearer ***" });
  expect(attempt?.reply?.body).toBe('{"you":"***"}');
});

it("takes an attribute __proto__ for one like others", async () => {
  const recent = new RecentDecisions(10);
  recent.record(policyRequest(new Map([["__proto__", "x"]])), new Steps(false), DECISION, 1, asIs);
  const { decisions } = await recent.find(query({ steps: true }), asIs);
  expect(JSON.stringify(decisions[0]?.steps?.request)).toBe('{"__proto__":"x"}');
});

it("puts together what several processes found", async () => {
  const [one, two] = [new RecentDecisions(10), new RecentDecisions(10)];
  for (let n = 1; n <= 6; n++) {
    (n % 2 ? one : two).record(request({ sender: `${n}` }, { time: n * 1000 }), null, DECISION, 1, asIs);
  }
  const parts = [await one.find(query(), asIs), await two.find(query(), asIs)];
  const all = together(parts, 4, 1);
  expect(all.decisions.map(({ attributes }) => attributes.sender)).toEqual(["6", "5", "4", "3"]);
  expect(all).toMatchObject({ kept: 6, since: "1970-01-01T00:00:01.000Z", silent: 1 });
});
