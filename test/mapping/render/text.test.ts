import { describe, expect, it } from "vitest";
import { call, hostileValues, mistakes } from "./call.ts";

describe("text", () => {
  const HOSTILE = "\"<&'> %/\n";

  it.each([
    ["json", '"\\"<&\'> %/\\n"'],
    ["xml", '"&quot;&lt;&amp;&apos;&gt; %/&#10;"'],
    ["url", '"%22%3C%26%27%3E%20%25%2F%0A"'],
    ["none", `"${HOSTILE}"`],
  ])("escapes values as %s", (escaping, body) => {
    const text = { content_type: "text/csv", escape: escaping, template: '"${sender}"' };
    expect(call({ text }, { sender: HOSTILE })).toEqual({
      method: "POST",
      path: "",
      headers: { "content-type": "text/csv" },
      body,
    });
  });

  it("carries any value in a JSON string unchanged", () => {
    const text = { content_type: "application/json", escape: "json", template: '{"a": "${sender}"}' };
    for (const value of hostileValues()) {
      expect(JSON.parse(String(call({ text }, { sender: value }).body))).toEqual({ a: value });
    }
  });

  it.each([
    [{ template: "x" }, "request.text.escape"],
    [{ template: "x", escape: "html" }, "request.text.escape"],
    [{ template: "${x}", escape: "none" }, "request.text.template"],
    [{ template: "x", escape: "none", content_type: "${sender}" }, "request.text.content_type"],
    [{ template: "x", escape: "none", content_type: "a\nb" }, "request.text.content_type"],
  ])("%j is a mistake", (text, path) => {
    expect(mistakes({ text }).map((mistake) => mistake.path)).toEqual([path]);
  });
});

describe("a call", () => {
  it("is GET without a body and POST with one, unless it says otherwise", () => {
    expect(call({})).toEqual({ method: "GET", path: "", headers: {}, body: null });
    expect(call({ method: "PUT", json: null })).toMatchObject({ method: "PUT", body: "null" });
    expect(call({ method: "POST" })).toMatchObject({ method: "POST", body: null });
  });

  it.each([
    [{ method: "post" }, "request.method"],
    [{ method: "GET", json: {} }, "request.method"],
    [{ json: {}, form: {} }, "request.form"],
  ])("%j is a mistake", (definition, path) => {
    expect(mistakes(definition).map((mistake) => mistake.path)).toEqual([path]);
  });
});
