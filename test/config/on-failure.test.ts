import { describe, expect, it } from "vitest";
import { answerTo, parseOnFailure } from "../../src/config/on-failure.ts";
import { CAUSES, type Cause } from "../../src/model/failure.ts";

const CLOSED = "DEFER 4.3.0 Authorization service unavailable, please try again later";
const ID = "5f0c1c9e-1111-4222-8333-444455556666";

/** The answer for each cause. */
function answers(raw: Parameters<typeof parseOnFailure>[0]): Partial<Record<Cause, string | null>> {
  const parsed = parseOnFailure(raw);
  if (!("onFailure" in parsed)) throw new Error(parsed.problems[0]?.message);
  return Object.fromEntries(
    CAUSES.map((cause) => [cause, answerTo(parsed.onFailure, { cause }, { id: ID })]),
  );
}

const all = (answer: string | null) => Object.fromEntries(CAUSES.map((cause) => [cause, answer]));
const FAIL_OPEN = {
  unreachable: "DUNNO",
  timeout: "DUNNO",
  circuit_open: "DUNNO",
  overload: "DUNNO",
  http_4xx: CLOSED,
  http_5xx: "DUNNO",
  bad_reply: CLOSED,
  mapping_error: CLOSED,
  offline: "DUNNO",
};

describe("an overload that who asks has brought about himself", () => {
  it.each([
    ["fail-open", CLOSED],
    [{ default: "fail-open" }, CLOSED],
    [{ overload: "fail-open" }, "DUNNO"],
    ["REJECT ${cause}", "REJECT overload"],
    ["postfix-default", null],
  ])("%j: %s", (raw, answer) => {
    const parsed = parseOnFailure(raw);
    if (!("onFailure" in parsed)) throw new Error(parsed.problems[0]?.message);
    expect(answerTo(parsed.onFailure, { cause: "overload", provoked: true }, { id: ID })).toBe(answer);
  });
});

describe("on_failure", () => {
  it.each([
    ["fail-closed", "fail-closed", all(CLOSED)],
    ["fail-open, for what no sender can provoke", "fail-open", FAIL_OPEN],
    ["postfix-default", "postfix-default", all(null)],
    ["an action", "REJECT 5.7.1 Not now", all("REJECT 5.7.1 Not now")],
    ["an action without text", "OK", all("OK")],
    [
      "an action with the cause and the id in its text",
      "450 4.3.0 ${cause} (${request_id}, ${request_id})",
      Object.fromEntries(CAUSES.map((cause) => [cause, `450 4.3.0 ${cause} (${ID}, ${ID})`])),
    ],
    ["an empty table", {}, all(CLOSED)],
    [
      "a table without default",
      { circuit_open: "fail-open", bad_reply: "REJECT" },
      { ...all(CLOSED), circuit_open: "DUNNO", bad_reply: "REJECT" },
    ],
    [
      "a table with default",
      { timeout: "postfix-default", default: "HOLD ${cause}" },
      { ...Object.fromEntries(CAUSES.map((cause) => [cause, `HOLD ${cause}`])), timeout: null },
    ],
    [
      "fail-open as default of a table",
      { http_4xx: "REJECT no", default: "fail-open" },
      { ...FAIL_OPEN, http_4xx: "REJECT no" },
    ],
    ["a cause that is opened by name", { http_4xx: "fail-open" }, { ...all(CLOSED), http_4xx: "DUNNO" }],
  ])("%s", (_, raw, expected) => {
    expect(answers(raw)).toEqual(expected);
  });

  it.each([
    [
      "a word that is none",
      "fail-opened",
      [],
      0,
      'expected fail-closed, fail-open, postfix-default or an action; did you mean "fail-open"?',
    ],
    ["an action that Postfix would take for restrictions", "permit", [], 0, "is no action"],
    ["lower case", "reject no", [], 0, "upper case"],
    ["a code without text", "450", [], 0, "450 needs a text"],
    ["an expression", "DEFER ${sender}", [], 6, "only ${cause}, ${request_id} and ${reference}"],
    ["an expression as verb", "${cause} x", [], 0, "is no action"],
    ["an entry of a table", { offline: "nope" }, ["offline"], 0, "is no action"],
    ["the default of a table", { default: "REJECT a\nb" }, ["default"], 0, "one line"],
    ["a text that Postfix would cut", `DEFER ${"x".repeat(500)}`, [], 0, "longer than 400 bytes"],
  ])("refuses %s, once", (_, raw, path, offset, message) => {
    const parsed = parseOnFailure(raw as string);
    expect(parsed).toEqual({ problems: [{ path, offset, message: expect.stringContaining(message) }] });
  });
});
