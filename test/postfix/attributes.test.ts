import { describe, expect, it } from "vitest";
import { readAttributes } from "../../src/postfix/attributes.ts";

function read(text: string, most = 100) {
  // In the middle of a chunk, as they come.
  const bytes = Buffer.from(`x${text}\n\nsender=x\n`);
  const end = 1 + Buffer.byteLength(text);
  return readAttributes(text, bytes, 1, end, most);
}

/** What a Map of the same would say. */
function expectSame(text: string, expected: [string, string][]): void {
  const attributes = read(text)!;
  const map = new Map(expected);
  expect([...attributes]).toEqual(expected);
  expect([...attributes.entries()]).toEqual(expected);
  expect([...attributes.keys()]).toEqual([...map.keys()]);
  expect([...attributes.values()]).toEqual([...map.values()]);
  expect(attributes.size).toBe(map.size);
  const each: [string, string][] = [];
  attributes.forEach((value, name) => {
    each.push([name, value]);
  });
  expect(each).toEqual(expected);
  for (const name of ["sender", "recipient", "stress", "mine", "constructor", ""]) {
    expect([name, attributes.get(name), attributes.has(name)]).toEqual([name, map.get(name), map.has(name)]);
  }
}

describe("attributes", () => {
  // Twice: the second time the names are known already.
  it.each([1, 2])("are what was sent, in its order (%i)", () => {
    expectSame("sender=a@example.net\nrecipient=\nstress==x=\n", [
      ["sender", "a@example.net"],
      ["recipient", ""],
      ["stress", "=x="],
    ]);
    expectSame("recipient=é€😀\nsender=ü\n", [
      ["recipient", "é€😀"],
      ["sender", "ü"],
    ]);
    expectSame("sender=1\nmine=2\n", [
      ["sender", "1"],
      ["mine", "2"],
    ]);
    expectSame("sender=1\nrecipient=2\nsender=3\n", [
      ["sender", "1"],
      ["recipient", "2"],
    ]);
  });

  it("are told apart from those of a request that begins or ends like the one before", () => {
    const before = "sender=a\nrecipient=b\nsize=1\n";
    read(before);
    expectSame("sender=c\nrecipient=d\n", [
      ["sender", "c"],
      ["recipient", "d"],
    ]);
    read(before);
    expectSame("sender=c\nrecipient=d\nsize=2\nstress=yes\n", [
      ["sender", "c"],
      ["recipient", "d"],
      ["size", "2"],
      ["stress", "yes"],
    ]);
    read(before);
    expectSame("sender=c\nrecipient_count=d\nsize=2\n", [
      ["sender", "c"],
      ["recipient_count", "d"],
      ["size", "2"],
    ]);
  });

  it.each(["sender\n", "=x\n", "sender=a\nrecipient\n", "sender=a\nrecipient\nsize=1\n", "a\nsender=a\n"])(
    "are not there where a line has no name: %j",
    (text) => {
      read("sender=a\nrecipient=b\nsize=1\n");
      expect(read(text)).toBeUndefined();
    },
  );

  it("are no more than they may be, whether their names are known or not", () => {
    for (let time = 0; time < 2; time++) {
      expect(read("sender=a\nsize=1\n", 2)?.size).toBe(2);
      expect(read("sender=a\nsize=1\n", 1)).toBeUndefined();
    }
  });

  it("are right in whatever order they come, one request after the other", () => {
    const names = ["sender", "recipient", "size", "stress", "instance", "helo_name", "other"];
    for (let seed = 1; seed < 2000; seed++) {
      const sent = names
        .filter((_, n) => (seed >> n) & 1)
        .sort((a, b) => ((a.length * seed) % 7) - ((b.length * seed) % 7));
      const pairs = sent.map((name, n): [string, string] => [name, `${seed}-${n}`]);
      const text = pairs.map(([name, value]) => `${name}=${value}\n`).join("");
      expect([...(read(text) ?? [])]).toEqual(pairs);
    }
  });
});
