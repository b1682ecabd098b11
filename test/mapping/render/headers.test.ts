import { describe, expect, it } from "vitest";
import { isFailure } from "../../../src/mapping/mapping.ts";
import { call, compiled, failure, hostileValues, mistakes, outcome } from "./call.ts";

describe("headers", () => {
  it("have lower-case names and values as text", () => {
    const headers = { "X-Queue-ID": "${queue_id}", "x-size": "${size}", "x-fixed": 5 };
    expect(call({ headers }, { queue_id: "4F9" }).headers).toEqual({
      "x-queue-id": "4F9",
      "x-size": "0",
      "x-fixed": "5",
    });
    expect(compiled({ headers, json: {} }).request.headerNames).toEqual([
      "content-type",
      "x-queue-id",
      "x-size",
      "x-fixed",
    ]);
  });

  it("replace the Content-Type that is made", () => {
    expect(call({ json: {}, headers: { "Content-Type": "application/vnd.x+json" } }).headers).toEqual({
      "content-type": "application/vnd.x+json",
    });
  });

  it("are text, as it was written or sent", () => {
    for (const definition of [{ a: "${sender}" }, { a: "é€😀" }]) {
      expect(call({ headers: definition }, { sender: "é€😀" }).headers.a).toBe("é€😀");
    }
  });

  it("carry any value on one line, or none", () => {
    for (const value of hostileValues()) {
      const result = outcome({ headers: { a: "<${sender}>" } }, { sender: value });
      if (isFailure(result)) {
        expect(value).toMatch(/[\x00-\x1f\x7f]/);
        expect(result.detail).toMatch(/^request\.headers\.a: the value of \$\{sender\}/);
      } else {
        expect(result.headers.a).toBe(`<${value}>`);
      }
    }
  });

  it("with a value that is missing are a mapping_error", () => {
    expect(failure({ headers: { a: "${attributes.gone}" } }).detail).toMatch(
      /^request\.headers\.a: attributes\.gone/,
    );
  });

  it.each([
    "Host",
    "content-length",
    "Transfer-Encoding",
    "connection",
    "keep-alive",
    "Upgrade",
    "te",
    "trailer",
    "expect",
    "Proxy-Authorization",
    "X-Request-ID",
    "a b",
    "a:",
    "",
    "é",
  ])("cannot set %j", (name) => {
    expect(mistakes({ headers: { [name]: "x" } })).toHaveLength(1);
  });

  it("are mistakes where they are ambiguous or no text", () => {
    expect(
      mistakes({ headers: { A: "x", a: "y", b: ["x"], c: "a\r\nb: c" } }).map(({ path }) => path),
    ).toEqual(["request.headers.a", "request.headers.b", "request.headers.c"]);
  });
});
