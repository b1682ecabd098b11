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

  describe("of a secret that the text breaks off in", () => {
    const long = "eyJhbGciOiJFUzI1NiJ9.c2VydmljZS1hY2NvdW50.0123456789abcdefghij";
    const cut = new Masker();
    for (const value of [long, "battery-staple", "sesame-1"]) cut.add(value);

    it.each([
      ["masks the beginning, without a mark", `REJECT ${long.slice(0, 40)}`, "REJECT ***"],
      ["and with one", `the action "${long.slice(0, 20)}…" cannot`, 'the action "***…" cannot'],
      ["and before anything else", `${long.slice(0, 16)}. No`, "***. No"],
      ["and in base64", `${Buffer.from(`user:${long}`).toString("base64").slice(0, 50)}…`, "dXNlcj***…"],
      ["and in hexadecimal", `${Buffer.from(long).toString("hex").slice(0, 31)}`, "***"],
      ["and percent-encoded, in the middle of an escape", "b%61ttery-%73tap%6", "***%6"],
      ["and again where it begins anew", `${long.slice(0, 30)}${long.slice(0, 20)}`, "******"],
      ["half of a shorter one, where the text ends", "battery-", "***"],
      ["or a value in JSON does", '{"a":"battery-st","b":1}', '{"a":"***","b":1}'],
      ["but not where another word begins so", "battery-powered", "battery-powered"],
      ["nor less", "batter", "batter"],
      ["nor a part of a short one", "sesame-", "sesame-"],
    ])("%s", (_, text, expected) => {
      expect(cut.mask(text)).toBe(expected);
    });
  });

  it("takes no longer for text that is made to be slow", () => {
    const slow = new Masker();
    slow.add(`${"\\a".repeat(30)}%41&#65;`);
    const begin = performance.now();
    slow.add(`${"b".repeat(1000)}c`);
    for (const piece of ["\\", "%", "&#", "\\u0061", "%25"]) slow.mask(piece.repeat(20_000));
    slow.mask(`${"b".repeat(999)}d`.repeat(100));
    expect(performance.now() - begin).toBeLessThan(3000);
  });

  it("passes over a line of escapes, however long", () => {
    expect(masker.mask("\\u0061".repeat(200_000))).toHaveLength(1_200_000);
  });

  it("looks at an ordinary line little longer for a letter or an escape in it", () => {
    const line = `{"sender":"mail@example.net","detail":"${"no complete reply from the service ".repeat(15)}"}`;
    const times = [line, line.replace("mail", "müller"), line.replace("mail", "a%20b")].map((each) => {
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 20; round++) {
        const begin = performance.now();
        for (let count = 0; count < 500; count++) masker.mask(each);
        best = Math.min(best, performance.now() - begin);
      }
      return best;
    });
    const [plain, ...others] = times;
    expect(Math.max(...others)).toBeLessThan(12 * plain!);
  });
});
