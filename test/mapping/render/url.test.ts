import { describe, expect, it } from "vitest";
import { isFailure } from "../../../src/mapping/mapping.ts";
import { call, failure, hostileValues, mistakes, outcome } from "./call.ts";

const wellFormed = (value: string) => value.replace(/[\ud800-\udfff]/gu, "\ufffd");

describe("path", () => {
  it.each<[string, string]>([
    ["/v1/check", "/v1/check"],
    ["/v1/", "/v1/"],
    ["/", "/"],
    ["", ""],
    ["/v1/${domain(recipient)}", "/v1/example.org"],
    ["/u/${sender}/x", "/u/a%2Fb%3Fc%23d%40e/x"],
    ["/u/id-${size}.json", "/u/id-7.json"],
    ["/caf\u00e9 au%20lait", "/caf%C3%A9%20au%20lait"],
    ["/v1/data/${param.package}/allow", "/v1/data/mail/authz/allow"],
    ["?wsdl", "?wsdl"],
    ["/v1?a=${sender}&b=${size}&c", "/v1?a=a%2Fb%3Fc%23d%40e&b=7&c"],
    ["/v1?a=x${size}y", "/v1?a=x7y"],
    ["/v1?to=${recipients}", "/v1?to=x%20y&to=z%26"],
    ["/v1?q=a?b", "/v1?q=a?b"],
    ["/$${x}", "/%24%7Bx%7D".replace("%24", "$")],
  ])("%j", (path, url) => {
    expect(
      call({ path }, { sender: "a/b?c#d@e", recipient: "r@example.org", size: "7" }, ["x y", "z&"]).path,
    ).toBe(url);
  });

  it.each<[string, string, string]>([
    ["/v1/${sender}", "", "is empty"],
    ["/v1/${sender}/x", ".", 'is "."'],
    ["/v1/${sender}/x", "..", 'is ".."'],
    ["/v1/.${sender}", ".", 'is ".."'],
    ["/v1/%2e${sender}", ".", 'is "%2e."'],
    ["/v1/${sender}${sender}", ".", 'is ".."'],
    ["/v1/${param.tricky}", "", "a/../b"],
    ["/v1/${attributes.gone}", "", "attributes.gone is missing"],
  ])("%s of %j is a mapping_error", (path, sender, detail) => {
    const result = failure({ path }, { sender });
    expect(result.cause).toBe("mapping_error");
    expect(result.detail).toMatch(/^request\.path: /);
    expect(result.detail).toContain(detail);
  });

  it("keeps any value within its segment", () => {
    for (const value of hostileValues()) {
      const result = outcome({ path: "/v1/${sender}/end?q=${sender}" }, { sender: value });
      if (isFailure(result)) {
        expect(["", ".", ".."]).toContain(value);
        continue;
      }
      const url = new URL(`http://127.0.0.1/base${result.path}`);
      const segments = url.pathname.split("/").map(decodeURIComponent);
      expect(segments).toEqual(["", "base", "v1", wellFormed(value), "end"]);
      expect([...url.searchParams]).toEqual([["q", wellFormed(value)]]);
      expect(url.hash).toBe("");
    }
  });

  it.each<[string, RegExp]>([
    ["v1/check", /begins with "\/"/],
    ["${sender}/check", /begins with "\/"/],
    ["/v1/../admin", /"\.\." as a segment/],
    ["/v1/%2E%2e/admin", /as a segment/],
    ["/v1#top", /%23/],
    ["/100%", /%25/],
    ["/v1/${sendr}", /did you mean "sender"/],
  ])("%s is a mistake", (path, message) => {
    expect(mistakes({ path })).toEqual([
      {
        path: "request.path",
        message: expect.stringMatching(message),
        offset: path.includes("sendr") ? 6 : undefined,
      },
    ]);
  });
});

describe("query", () => {
  it.each<[string, Record<string, unknown>, string]>([
    [
      "text and values",
      { a: "x y", b: "${sender}", c: 5, d: true, e: null },
      "?a=x%20y&b=s%26t&c=5&d=true&e=",
    ],
    ["a list of the request", { to: "${recipients}" }, "?to=x&to=y"],
    ["a list of the mapping", { to: ["${sender}", "z"] }, "?to=s%26t&to=z"],
    ["a list inside text", { to: "[${recipients}]" }, "?to=%5B%5B%22x%22%2C%22y%22%5D%5D"],
    ["a name that needs escaping", { "a&b=c": 1 }, "?a%26b%3Dc=1"],
    ["an empty list", { to: "${[]}" }, ""],
  ])("%s", (_name, query, path) => {
    expect(call({ query }, { sender: "s&t" }, ["x", "y"]).path).toBe(path);
  });

  it("adds to the query of the path", () => {
    expect(call({ path: "/v1?a=1", query: { b: 2 } }).path).toBe("/v1?a=1&b=2");
  });

  it("omit_empty leaves out what a ${…} left empty", () => {
    const query = { a: "${sender}", b: "", c: "${param.tags}", d: "x${sender}" };
    expect(call({ path: "/?e=${sender}&f=", query, omit_empty: true }).path).toBe("/?f=&b=&c=x&d=x");
  });

  it("is refused where it cannot be sent", () => {
    expect(mistakes({ query: { a: { b: 1 }, "${sender}": 1 } }).map(({ path }) => path)).toEqual([
      "request.query.a",
      "request.query.${sender}",
    ]);
  });
});

describe("form", () => {
  it("is sent as application/x-www-form-urlencoded", () => {
    expect(call({ form: { "a b": "c d", to: "${recipients}" } }, {}, ["x", "y"])).toMatchObject({
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "a+b=c+d&to=x&to=y",
    });
  });

  it("carries any value unchanged", () => {
    for (const value of hostileValues()) {
      const { body } = call({ form: { a: "${sender}", b: "<${sender}>" } }, { sender: value });
      expect([...new URLSearchParams(String(body))]).toEqual([
        ["a", wellFormed(value)],
        ["b", `<${wellFormed(value)}>`],
      ]);
    }
  });

  it("omit_empty leaves out what a ${…} left empty", () => {
    expect(call({ form: { a: "${sender}", b: "" }, omit_empty: true }).body).toBe("b=");
  });
});
