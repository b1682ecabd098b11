/** What proves must be able to disprove: each kind of wrong, made by hand. */
import { describe, expect, it } from "vitest";
import { Ledger } from "./authorization.ts";
import { DEADLINE, STALE } from "./bridge.ts";
import { check, type Evidence } from "./checker.ts";
import { DecisionLog } from "./decision-log.ts";
import { History } from "./history.ts";
import type { Asked } from "./load.ts";
import type { PolicyConnection } from "./smtpd.ts";
import { type Call, keyOf, refusalOf } from "./truth.ts";

const AT = Date.parse("2026-01-02T03:04:05Z");
const TOKEN = "the-token";

/** The first call of its kind that the service permits, or refuses. */
function call(permitted: boolean): Call {
  for (let number = 0; ; number++) {
    const recipient = `to${number}@example.org`;
    const call = {
      state: "RCPT",
      user: "a",
      sender: "a@example.net",
      recipient,
      recipients: [recipient],
      count: 0,
    };
    if ((refusalOf(call, false, "***") === null) === permitted) return call;
  }
}

const PERMITTED = call(true);
const REFUSED = call(false);
const DEFAULT = (cause: string, generation = 1) =>
  `DEFER 4.7.0 generation ${generation}, cause ${cause}, request 00000000-0000-4000-8000-000000000000`;

interface Made extends Partial<Pick<Asked, "call" | "action" | "scattered">> {
  readonly ms?: number;
  readonly end?: Asked["tries"][number]["end"];
  readonly closedAt?: number;
  readonly stray?: string;
  readonly source?: string;
  readonly cause?: string;
  /** In the log, in place of the action. */
  readonly logged?: string | null;
  readonly lines?: number;
  readonly around?: (evidence: Evidence) => void;
}

/** What the checker finds in one request and what surrounds it. */
function found({ call = PERMITTED, action = "DUNNO", scattered = false, ...made }: Made): string[] {
  const connection = { closedAt: made.closedAt ?? null, stray: made.stray ?? "" } as PolicyConnection;
  const to = AT + (made.ms ?? 5);
  const tries = [{ connection, from: AT, to, end: made.end ?? "answered" }];
  const log = new DecisionLog([TOKEN]);
  for (let line = 0; line < (made.lines ?? 1); line++) {
    log.add(
      JSON.stringify({
        time: new Date(to).toISOString(),
        msg: "decision",
        request_id: String(line),
        action: made.logged ?? action,
        source: made.source ?? "upstream",
        cause: made.cause,
        instance: "1",
        protocol_state: call.state,
        recipient: call.recipient,
      }),
    );
  }
  const evidence: Evidence = {
    asked: [{ call, instance: "1", action, scattered, tries }],
    connections: [connection],
    ledger: new Ledger(),
    log,
    history: new History(),
    delay: () => 0,
  };
  evidence.history.generations.push({ number: 1, from: 0, to: Number.POSITIVE_INFINITY });
  made.around?.(evidence);
  return check(evidence).map(({ what }) => what);
}

const replied = ({ ledger }: Evidence) => ledger.add({ key: keyOf(PERMITTED), at: AT - 1, outcome: "reply" });
const failed = ({ ledger }: Evidence) => ledger.add({ key: keyOf(PERMITTED), at: AT, outcome: "http_5xx" });
const killed = ({ history }: Evidence) => history.kills.push(AT);
const away = ({ history }: Evidence) => history.serviceAway.push({ from: AT - 1000, to: AT + 1000 });
const forgotten = ({ history }: Evidence) =>
  history.revocations.set(PERMITTED.sender, { asked: AT - 20, done: AT - 10 });

describe("what is right", () => {
  const cases: Record<string, Made> = {
    "the service's permit": {},
    "the service's refusal": { call: REFUSED, action: `REJECT 5.7.1 ${refusalOf(REFUSED, false, "***")}` },
    "a default while the service is away": {
      action: DEFAULT("unreachable"),
      source: "default",
      around: away,
    },
    "a default for a failure of this call": {
      action: DEFAULT("http_5xx"),
      source: "default",
      around: failed,
    },
    "a remembered reply": { source: "cache", around: replied },
    "an old reply while the service is away": {
      action: STALE,
      source: "stale",
      cause: "unreachable",
      around: (evidence) => {
        replied(evidence);
        away(evidence);
      },
    },
    "an answer whose worker was killed before it could log it": {
      closedAt: AT + 10,
      lines: 0,
      around: killed,
    },
    "a late answer of a machine that kept everybody waiting": {
      ms: DEADLINE + 100,
      around: (evidence) => Object.assign(evidence, { delay: () => 60 }),
    },
    "no decision at DATA by a part of the recipients": {
      call: { ...PERMITTED, state: "DATA" },
      scattered: true,
      action: DEFAULT("mapping_error"),
      source: "default",
    },
  };
  it.each(Object.entries(cases))("%s", (_, made) => {
    expect(found(made)).toEqual([]);
  });
});

describe("what is wrong", () => {
  const cases: Record<string, Made> = {
    "wrong answer": { call: REFUSED },
    late: { ms: DEADLINE + 51 },
    "from memory, although forgotten": { source: "stale", cause: "unreachable", around: forgotten },
    "default without its cause": { action: DEFAULT("http_5xx"), source: "default" },
    "default of a configuration that was not in use": {
      action: DEFAULT("unreachable", 2),
      source: "default",
      around: away,
    },
    "remembered what was never said": { source: "cache" },
    "a reply past its ttl without a cause": { source: "stale", cause: "http_5xx", around: replied },
    "without an answer": { action: null, end: "hung", lines: 0 },
    "no answer, connection left open": { action: null, end: "hung", lines: 0 },
    "connection closed although no worker was killed": { action: null, end: "closed", closedAt: AT },
    "idle connection closed although no worker was killed": { closedAt: AT + 3000, around: killed },
    "bytes that nobody asked for": { stray: "action=DUNNO\n\n" },
    "no decision line with this action": { logged: "REJECT" },
    "more decision lines than tries": { lines: 2 },
    "not the route's action": { call: { ...PERMITTED, state: "VRFY" }, source: "route" },
    "calls although switched offline": {
      around: ({ history, ledger }) => {
        history.noCalls.push({ from: AT, to: AT + 5000 });
        ledger.add({ key: "", at: AT + 3000, outcome: "reply" });
      },
    },
    "a decision line of no request": {
      around: ({ log }) => log.lines.set("another", []),
    },
    "in the log": { around: ({ log }) => log.add(`{"msg":"it is ${TOKEN}"}`) },
  };
  it.each(Object.entries(cases))("%s", (what, made) => {
    expect(found(made)).toContain(what);
  });

  it("a permit at DATA by a part of the recipients", () => {
    const all = Array.from({ length: 20 }, (_, number) => `to${number}@example.org`);
    const data = { ...PERMITTED, state: "DATA", recipient: "", recipients: all, count: all.length };
    expect(found({ call: data, scattered: true })).toContain("wrong answer");
  });
});
