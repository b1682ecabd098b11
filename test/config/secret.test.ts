import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Masker } from "../../src/config/masker.ts";
import { Secret } from "../../src/config/secret.ts";

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
    ["in another case", "HUNTER2 and Hunter2", "*** and ***"],
    ["in hexadecimal", Buffer.from("hunter2").toString("hex"), "***"],
    ["in hexadecimal, upper case", Buffer.from("hunter2").toString("hex").toUpperCase(), "***"],
    ["percent-encoded in part", "a=h%75nter%32&b", "a=***&b"],
    ["percent-encoded twice", "h%2575nter2", "***"],
    ["in a form", "p%40ss+w%C3%b6rd%26", "***"],
    ["as character references", "&#104;u&#x6E;t&#x0065;r2.", "***."],
    ["in XML", "quo&quot;te\\d", "***"],
    ["escaped in JSON", '{"a":"h\\u0075nter2"}', '{"a":"***"}'],
    ["in JSON in JSON", JSON.stringify(JSON.stringify({ a: 'quo"te\\d' })), '"{\\"a\\":\\"***\\"}"'],
    ["in UTF-8 that was taken for Latin-1", Buffer.from("p@ss wörd&").toString("latin1"), "***"],
    ["not beside what is another text", "h%75nter and &#104; hunter", "h%75nter and &#104; hunter"],
    ["not when it is too short to be told from a word", "abc", "abc"],
    ["not what is no secret", "hunter", "hunter"],
  ])("masks a secret %s", (_, text, expected) => {
    expect(masker.mask(text)).toBe(expected);
  });

  it("masks a secret in base64 wherever it begins in what was encoded, and in whatever alphabet", () => {
    const secret = "s3cr3t/value?~~~>>>";
    const alone = new Masker();
    alone.add(secret);
    for (const before of ["", "a", "ab", "abc", "user:"]) {
      for (const after of ["", "z", "zy", "zyx"]) {
        for (const encoding of ["base64", "base64url"] as const) {
          const masked = alone.mask(`<${Buffer.from(before + secret + after).toString(encoding)}>`);
          const left = masked.replaceAll("*", "").slice(1, -1);
          expect(Buffer.from(left, "base64").length).toBeLessThanOrEqual(before.length + after.length);
          expect(masked).toContain("***");
        }
      }
    }
  });

  it("takes no longer for text that is made to be slow", () => {
    const slow = new Masker();
    slow.add(`${"\\a".repeat(30)}%41&#65;`);
    const begin = performance.now();
    for (const piece of ["\\", "%", "&#", "\\u0061", "%25"]) slow.mask(piece.repeat(20_000));
    expect(performance.now() - begin).toBeLessThan(3000);
  });
});
