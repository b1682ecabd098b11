/** What Postfix is answered for each cause, each brought about for real, and each form of on_failure. */
import { describe, expect, it } from "vitest";
import { CAUSES, type Cause } from "../../src/model/failure.ts";
import { GATE, service, silentService } from "../commands/services.ts";
import { type Opened, open } from "./bridge.ts";

const CLOSED = "DEFER 4.3.0 Authorization service unavailable, please try again later";
const FAST = { timeout: "150ms", deadline: "300ms", retry: { attempts: 1 } };
const FILES = { "gate.yaml": GATE };

type OnFailure = string | Readonly<Record<string, string>>;

function configured(url: string, on_failure: OnFailure, corp: object = {}) {
  return { services: { corp: { url, mapping: "./gate.yaml", on_failure, ...FAST, ...corp } } };
}

const answering = async (status: number, body: unknown = "") => (await service(() => ({ status, body }))).url;

/** Asks in such a way that the cause comes about. */
const BRING_ABOUT: Readonly<Record<Cause, (onFailure: OnFailure) => Promise<Opened>>> = {
  unreachable: (onFailure) => open(configured("http://127.0.0.1:1", onFailure), FILES),
  timeout: async (onFailure) => open(configured(await silentService(), onFailure), FILES),
  circuit_open: async (onFailure) => {
    const breaker = { minimum_calls: 1, open_for: "1m" };
    const opened = await open(configured("http://127.0.0.1:1", onFailure, { breaker }), FILES);
    await opened.ask();
    return opened;
  },
  overload: async (onFailure) => {
    const url = await silentService();
    const opened = await open(
      configured(url, onFailure, { max_in_flight: 1, timeout: "2s", deadline: "400ms" }),
      FILES,
    );
    // Holds the only slot until the next one's deadline is over.
    void opened.ask({}, 1000);
    return opened;
  },
  http_4xx: async (onFailure) => open(configured(await answering(403), onFailure), FILES),
  http_5xx: async (onFailure) => open(configured(await answering(500), onFailure), FILES),
  bad_reply: async (onFailure) => open(configured(await answering(200, "no JSON"), onFailure), FILES),
  mapping_error: (onFailure) => {
    const request = { ...GATE.request, path: "/${etrn_domain}/x" };
    return open(configured("http://127.0.0.1:1", onFailure), { "gate.yaml": { ...GATE, request } });
  },
  offline: (onFailure) => open({ ...configured("http://127.0.0.1:1", onFailure), offline: true }, FILES),
};

const OPENS: readonly Cause[] = ["unreachable", "timeout", "circuit_open", "overload", "http_5xx", "offline"];

describe.each(CAUSES)("%s", (cause) => {
  const table = { [cause]: "fail-open", default: "REJECT no" };
  const cases: readonly [string, OnFailure, string | null][] = [
    ["fail-closed", "fail-closed", CLOSED],
    ["fail-open", "fail-open", OPENS.includes(cause) ? "DUNNO" : CLOSED],
    ["postfix-default", "postfix-default", null],
    ["an action with ${cause}", "DEFER 4.7.0 it was ${cause}", `DEFER 4.7.0 it was ${cause}`],
    ["a table that names it", table, "DUNNO"],
    [
      "a table's default",
      { [cause === "offline" ? "timeout" : "offline"]: "OK", default: "REJECT no" },
      "REJECT no",
    ],
    ["a table that does not name it", { [cause === "offline" ? "timeout" : "offline"]: "OK" }, CLOSED],
  ];
  it.each(cases)("%s", async (_name, onFailure, expected) => {
    const { ask, lines } = await BRING_ABOUT[cause](onFailure);
    expect(await ask()).toBe(expected);
    const decisions = lines.filter(({ msg, cause: logged }) => msg === "decision" && logged === cause);
    expect(decisions).toEqual([
      expect.objectContaining({
        level: "warn",
        source: "default",
        action: expected,
        detail: expect.stringMatching(/./),
      }),
    ]);
  });
});

it("puts the request_id of the log line in the text", async () => {
  const { ask, lines } = await BRING_ABOUT.offline("DEFER 4.3.0 [${request_id}]");
  const action = await ask();
  expect(action).toBe(`DEFER 4.3.0 [${lines[0]?.request_id}]`);
  expect(action).toMatch(/\[[0-9a-f-]{36}\]/);
});

it("says in the detail which service, and what was wrong", async () => {
  const { ask, lines } = await BRING_ABOUT.http_5xx("fail-closed");
  await ask();
  expect(lines.at(-1)).toMatchObject({
    service: "corp",
    status: 500,
    attempts: 1,
    detail: expect.stringContaining("500"),
  });
});
