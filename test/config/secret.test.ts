import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Masker, Secret } from "../../src/config/secret.ts";

describe("Secret", () => {
  const secret = new Secret("hunter2");

  it("gives its value to whom asks for it", () => {
    expect(secret.reveal()).toBe("hunter2");
  });

  it.each([
    ["text", `${secret}`],
    ["JSON", JSON.stringify({ secret })],
    ["inspect", inspect({ secret }, { showHidden: true, depth: 9 })],
    ["a copy", JSON.stringify({ ...secret })],
  ])("shows nothing as %s", (_, shown) => {
    expect(shown).not.toContain("hunter2");
  });
});

describe("Masker", () => {
  const masker = new Masker();
  for (const value of ["hunter2", "hunter2-longer", "abc", 'quo"te\\d', "p@ss wörd&"]) masker.add(value);

  it.each([
    ["as it is", "the password is hunter2.", "the password is ***."],
    ["more than once", "hunter2hunter2", "******"],
    ["the longer of two first", "hunter2-longer", "***"],
    ["in base64", Buffer.from("hunter2").toString("base64"), "***"],
    ["in base64 without padding", `${Buffer.from("hunter2").toString("base64url")}.`, "***."],
    ["inside JSON", JSON.stringify({ a: 'quo"te\\d' }), '{"a":"***"}'],
    ["percent-encoded", encodeURIComponent("p@ss wörd&"), "***"],
    ["not when it is too short to be told from a word", "abc", "abc"],
    ["not what is no secret", "hunter", "hunter"],
  ])("masks a secret %s", (_, text, expected) => {
    expect(masker.mask(text)).toBe(expected);
  });
});
