import { describe, expect, it } from "vitest";
import { basic, bearer } from "../../src/upstream/auth.ts";
import { retryAfter } from "../../src/upstream/retryable.ts";
import { pathJoiner } from "../../src/upstream/target.ts";

describe("a mapping's path, joined to the service's URL", () => {
  it.each([
    ["https://x", "", "/"],
    ["https://x", "/check", "/check"],
    ["https://x/", "/check", "/check"],
    ["https://x/api", "/check", "/api/check"],
    ["https://x/api/", "/check", "/api/check"],
    ["https://x/api", "", "/api"],
    ["https://x/api/", "", "/api/"],
    ["https://x/api/", "?a=b", "/api/?a=b"],
    ["https://x/api", "/a/../b", "/api/a/../b"],
    ["https://x/api", "//b", "/api//b"],
    ["https://x/api?key=1", "", "/api?key=1"],
    ["https://x/api?key=1", "/check", "/api/check?key=1"],
    ["https://x/api?key=1", "/check?a=b", "/api/check?key=1&a=b"],
  ])("%s and %s", (url, path, expected) => {
    expect(pathJoiner(new URL(url))(path)).toBe(expected);
  });
});

describe("Retry-After", () => {
  it.each([
    ["seconds", "7", 7000],
    ["a date", "Wed, 21 Oct 2015 07:28:05 GMT", 5000],
    ["a date that has passed", "Wed, 21 Oct 2015 07:00:00 GMT", 0],
    ["something else", "soon", undefined],
    ["a negative number", "-7", undefined],
  ])("is read as %s", (_name, value, expected) => {
    const reply = { status: 503, headers: new Map([["retry-after", value]]), body: Buffer.alloc(0) };
    const pause = retryAfter(reply, Date.parse("Wed, 21 Oct 2015 07:28:00 GMT"));
    expect(pause).toBe(expected);
  });
});

describe("credentials", () => {
  it("are headers", () => {
    expect(basic("u", "p").headers()).toEqual({ authorization: "Basic dTpw" });
    expect(basic("u", "p").headerNames).toEqual(["authorization"]);
    expect(bearer("t").headers()).toEqual({ authorization: "Bearer t" });
  });

  it.each(["", "a b", "token\n"])("are refused when no header can hold them: %j", (token) => {
    expect(() => bearer(token)).toThrow(/bearer token/);
  });
});
