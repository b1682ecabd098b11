import { describe, expect, it } from "vitest";
import { callKey, valuesKey } from "../../src/cache/key.ts";
import type { UpstreamRequest } from "../../src/model/exchange.ts";

const call = (change: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  method: "POST",
  path: "/check",
  headers: { "content-type": "application/json" },
  body: '{"sender":"a@example.net"}',
  ...change,
});

describe("the key of a remembered reply", () => {
  const key = callKey(["corp", "https://authz.example.com", "v1", "bridge"]);

  it("is the same for the same call", () => {
    expect(key(call())).toBe(key(call()));
  });

  it.each<[string, Partial<UpstreamRequest>]>([
    ["method", { method: "PUT" }],
    ["path", { path: "/check2" }],
    ["a header's value", { headers: { "content-type": "text/plain" } }],
    ["another header", { headers: { "content-type": "application/json", "x-tenant": "mail" } }],
    ["body", { body: '{"sender":"b@example.net"}' }],
    ["no body", { body: null }],
  ])("differs with %s", (_, change) => {
    expect(key(call(change))).not.toBe(key(call()));
  });

  it.each([
    ["service", ["other", "https://authz.example.com", "v1", "bridge"]],
    ["URL", ["corp", "https://authz2.example.com", "v1", "bridge"]],
    ["version of the mapping", ["corp", "https://authz.example.com", "v2", "bridge"]],
    ["identity", ["corp", "https://authz.example.com", "v1", "other"]],
  ])("differs with the %s", (_, scope) => {
    expect(callKey(scope)(call())).not.toBe(key(call()));
  });

  it("keeps the parts apart: what moves from one to the next makes another key", () => {
    expect(key(call({ method: "P", path: "OST/check" }))).not.toBe(key(call()));
  });

  it("says nothing of the call", () => {
    expect(key(call())).toMatch(/^[\w-]{43}$/);
  });

  it("of cache.key's own values never equals that of a call", () => {
    expect(valuesKey(["corp"])(["x"])).not.toBe(callKey(["corp"])(call({ body: "x" })));
    expect(valuesKey(["corp"])(["x"])).not.toBe(valuesKey(["corp"])(["y"]));
  });

  it.each([
    [
      ["alice1", "1.2.3.4"],
      ["alice", "11.2.3.4"],
    ],
    [
      ["a b", "c"],
      ["a", "b c"],
    ],
    [
      ["a", ""],
      ["", "a"],
    ],
    [['a","b'], ["a", "b"]],
  ])("of cache.key keeps its values apart: %j and %j", (one, other) => {
    expect(valuesKey(["corp"])(one)).not.toBe(valuesKey(["corp"])(other));
  });
});
