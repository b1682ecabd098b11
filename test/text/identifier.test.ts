/** Ids that hold letters and digits only. */
import { expect, it } from "vitest";
import { identifierOf } from "../../src/text/identifier.ts";

it.each([
  ["", ""],
  ["Alice-1_x", "Alice-1_x"],
  ["alice@example.com", "alice=40example=2Ecom"],
  ["*", "=2A"],
  ["=2A", "=3D2A"],
  ["a#b:c|d/e+f", "a=23b=3Ac=7Cd=2Fe=2Bf"],
  ["é€😀\0\n", "=C3=A9=E2=82=AC=F0=9F=98=80=00=0A"],
  ["\ud800", "=EF=BF=BD"],
])("makes %j %s", (value, identifier) => expect(identifierOf(value)).toBe(identifier));

it("gives no two values one identifier", () => {
  const values = ["a@b", "a=40b", "a%40b", "A@b", "a=3D40b", "a 40b", "a\u0000b", "=", "==", "=3D"];
  expect(new Set(values.map(identifierOf)).size).toBe(values.length);
});
