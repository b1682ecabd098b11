import { expect, it } from "vitest";
import { hostTag, isHostTag, referenceOf, withReference } from "../../src/model/reference.ts";

const ID = "1f3a9c2e-0000-4000-8000-000000000000";

it.each([
  ["mx1.example.org", "mx1"],
  ["MX-Out_2", "mx-out2"],
  ["--a--", "a"],
  ["a-very-long-name-of-a-host", "a-very-long-name"],
  ["a-very-long-nam-of-a-host", "a-very-long-nam"],
  ["привет", "host"],
  ["", "host"],
])("makes a tag of the host name %s", (name, tag) => {
  expect(hostTag(name)).toBe(tag);
  expect(isHostTag(tag)).toBe(true);
});

it("is the host and the first digits of the request_id", () => {
  expect(referenceOf({ id: ID, host: "mx1" })).toBe("mx1-1f3a9c2e");
  expect(referenceOf({ id: ID })).toBe("1f3a9c2e");
});

const END = " (ref mx1-1f3a9c2e)";

it.each([
  "REJECT",
  "REJECT 5.7.1 no",
  "DEFER 4.3.0 x",
  "DEFER_IF_PERMIT",
  "DEFER_IF_REJECT y",
  "450 4.7.1 z",
  "550 no",
])("ends %s", (action) => {
  expect(withReference(action, "mx1-1f3a9c2e")).toBe(action + END);
});

it.each([
  "DUNNO",
  "OK",
  "PREPEND X-A: b",
  "HOLD",
  "WARN x",
  "FILTER smtp:[127.0.0.1]",
  "REJECT see mx1-1f3a9c2e",
])("leaves %s as it is", (action) => {
  expect(withReference(action, "mx1-1f3a9c2e")).toBe(action);
});

it.each([
  ["a", 400],
  ["ü", 200],
  ["€", 133],
  ["😀", 100],
])("cuts the text before it, at a character's boundary: %s", (character, count) => {
  const action = withReference(`REJECT ${character.repeat(count)}`, "mx1-1f3a9c2e");
  const text = action.slice("REJECT ".length);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(400);
  expect(Buffer.byteLength(text)).toBeGreaterThan(396);
  expect(text.endsWith(END)).toBe(true);
  expect(text.slice(0, -END.length).replaceAll(character, "")).toBe("");
});

it("is not fooled by a reference that is another's", () => {
  const action = withReference("REJECT sorry (ref mx1-00000000)", "mx1-1f3a9c2e");
  expect(action.endsWith(END)).toBe(true);
});
