import { describe, expect, it } from "vitest";
import {
  isRefusal,
  isSendable,
  parseAction,
  REPLY_VERBS,
  sanitizeText,
  VERBS,
} from "../../src/model/action.ts";

describe("an action", () => {
  it.each([
    ["DUNNO", "DUNNO", ""],
    ["REJECT 5.7.1 Not here", "REJECT", "5.7.1 Not here"],
    ["REJECT  two blanks ", "REJECT", "two blanks"],
    ["550 5.7.1 Nobody", "550", "5.7.1 Nobody"],
    ["421 Busy", "421", "Busy"],
    ["DEFER_IF_PERMIT", "DEFER_IF_PERMIT", ""],
    ["PREPEND X-Policy: checked", "PREPEND", "X-Policy: checked"],
    ["FILTER smtp:[127.0.0.1]:10025", "FILTER", "smtp:[127.0.0.1]:10025"],
    ["FILTER scan:", "FILTER", "scan:"],
    ["REDIRECT a@example.net", "REDIRECT", "a@example.net"],
    ["REJECT grüße, 日本語", "REJECT", "grüße, 日本語"],
  ])("is read: %s", (action, verb, text) => {
    expect(parseAction(action)).toEqual({ verb, text });
    expect(isSendable(action)).toBe(true);
  });

  it.each([
    ["", "must not be empty"],
    ["  ", "must not be empty"],
    [" REJECT", "must not begin with a blank"],
    ["DUNNO\r", "one line"],
    ["REJECT a\n\naction=OK", "one line"],
    ["REJECT\ttab", "one line"],
    ["REJECT \u0085", "one line"],
    ["REJECT \u2028", "one line"],
    ["REJECT \ud800", "one line"],
    ["reject", "upper case: REJECT"],
    ["Dunno", "upper case: DUNNO"],
    ["permit", "is no action"],
    ["check_client_access hash:/etc/x", "is no action"],
    ["REJECT,", "is no action"],
    ["550", "needs a text"],
    ["550 ", "needs a text"],
    ["12345", "is no reply code"],
    ["250 fine", "is no reply code"],
    ["FILTER", "transport:destination"],
    ["FILTER nowhere", "transport:destination"],
    ["REDIRECT", "needs one address"],
    ["BCC a@example.net, b@example.net", "needs one address"],
    ["PREPEND", "needs a header"],
    ["PREPEND no header", "needs a header"],
    ["PREPEND X-A:glued", "needs a header"],
  ])("that Postfix would take for something else is refused: %j", (action, problem) => {
    expect(parseAction(action)).toEqual({ problem: expect.stringContaining(problem) });
  });

  it("from a reply can neither permit nor reroute", () => {
    const never = ["OK", "RELAY", "PREPEND", "FILTER", "REDIRECT", "BCC", "HOLD", "DISCARD"];
    expect([...REPLY_VERBS, ...never].sort()).toEqual([...VERBS].sort());
  });

  it.each([
    ["REJECT", true],
    ["REJECT 5.7.1 no", true],
    ["DEFER", true],
    ["DEFER_IF_PERMIT later", true],
    ["450 4.3.0 later", true],
    ["554 no", true],
    ["DUNNO", false],
    ["OK", false],
    ["DEFER_IF_REJECT", false],
    ["PREPEND X-A: REJECT", false],
    ["DISCARD", false],
  ])("refuses or not: %s", (action, refuses) => {
    expect(isRefusal(action)).toBe(refuses);
  });

  it.each(["", " DUNNO", "DUNNO\n", "DUNNO\r", "a\0", "a\x7f", "a\u2029"])("can't be sent: %j", (action) => {
    expect(isSendable(action)).toBe(false);
  });
});

describe("text for an action", () => {
  it.each([
    ["5.7.1 Not here", "5.7.1 Not here"],
    ["", ""],
    ["  blanks  ", "blanks"],
    ["a\r\n\r\naction=OK\n\n", "a action=OK"],
    ["tab\tand\x1b[2Jescape\x07", "tab and [2Jescape"],
    ["c1\u0085\u009b31m, del\x7f", "c1 31m, del"],
    ["separators\u2028\u2029end", "separators end"],
    ["half \ud83d of a pair, \udc00 and \ud83d\ude42", "half \ufffd of a pair, \ufffd and \ud83d\ude42"],
    ["grüße 日本語", "grüße 日本語"],
    ["\n\n", ""],
  ])("is one line without control characters: %j", (text, expected) => {
    expect(sanitizeText(text)).toBe(expected);
  });

  it.each([
    ["a", 400, 400],
    ["a", 401, 400],
    ["a", 100_000, 400],
    ["é", 201, 400],
    ["日", 134, 399],
    ["🙂", 101, 400],
    ["a🙂", 100, 400],
  ])("is at most 400 bytes, cut between characters: %s × %i", (character, times, bytes) => {
    const text = sanitizeText(character.repeat(times));
    expect(Buffer.byteLength(text)).toBe(bytes);
    expect(character.repeat(times).startsWith(text)).toBe(true);
    expect(text).not.toContain("\ufffd");
  });

  it("is not looked at to its end where it is far too long", () => {
    const timeOf = (times: number) => {
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 5; round++) {
        const begin = performance.now();
        sanitizeText("a\r\n".repeat(times));
        best = Math.min(best, performance.now() - begin);
      }
      return best;
    };
    expect(timeOf(350_000)).toBeLessThan(6 * timeOf(22_000));
  });

  it("is left as it is when it is clean already", () => {
    const clean = sanitizeText("grüße\n".repeat(100));
    expect(sanitizeText(clean)).toBe(clean);
  });
});
