import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Attributes } from "../../src/postfix/attributes.ts";
import {
  DEFAULT_PARSER_LIMITS,
  isMalformed,
  type Malformed,
  PolicyParser,
} from "../../src/postfix/parser.ts";

type Parsed = Record<string, string> | Malformed;

/** Everything that comes out of the bytes when they are pushed in these pieces. */
function parse(chunks: readonly Buffer[], limits = DEFAULT_PARSER_LIMITS): Parsed[] {
  const parser = new PolicyParser(limits);
  const out: Parsed[] = [];
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let next = parser.next(); next !== undefined; next = parser.next()) {
      out.push(plain(next));
      if (isMalformed(next)) return out;
    }
  }
  return out;
}

function plain(parsed: Attributes | Malformed): Parsed {
  return isMalformed(parsed) ? parsed : Object.fromEntries(parsed);
}

const whole = (text: string | Buffer, limits = DEFAULT_PARSER_LIMITS) => parse([Buffer.from(text)], limits);
const bytewise = (text: string | Buffer) => parse([...Buffer.from(text)].map((byte) => Buffer.of(byte)));

function recorded(name: string): Buffer {
  return readFileSync(new URL(`requests/${name}.txt`, import.meta.url));
}

describe("a policy request", () => {
  it.each([
    ["rcpt", "RCPT", ""],
    ["data", "DATA", "E29D116C903"],
    ["end-of-message", "END-OF-MESSAGE", "E29D116C903"],
  ])("is read as Postfix sends it: %s", (name, state, queueId) => {
    const [request, ...rest] = whole(recorded(name));
    expect(rest).toEqual([]);
    expect(Object.keys(request as object)).toHaveLength(29);
    expect(request).toMatchObject({
      request: "smtpd_access_policy",
      protocol_state: state,
      queue_id: queueId,
      sender: "alice@example.net",
      policy_context: "",
    });
    expect(bytewise(recorded(name))).toEqual([request]);
  });

  it.each<[string, string, Parsed[]]>([
    ["without request=", "sender=a@b\n\n", [{ sender: "a@b" }]],
    ["with CRLF", "sender=a@b\r\nsize=1\r\n\r\n", [{ sender: "a@b", size: "1" }]],
    [
      "with CRLF and LF mixed",
      "sender=a@b\nsize=1\r\n\nx=y\r\n\n",
      [{ sender: "a@b", size: "1" }, { x: "y" }],
    ],
    ["after empty lines", "\n\r\n\n\na=b\n\n\n\n", [{ a: "b" }]],
    ["several at once", "a=1\n\na=2\n\na=3\r\n\r\na=4\n\n", [{ a: "1" }, { a: "2" }, { a: "3" }, { a: "4" }]],
    ["with = in a value", "ccert_subject=CN=x=y\n\n", [{ ccert_subject: "CN=x=y" }]],
    ["with a repeated name: the first counts", "a=1\na=2\na=\n\n", [{ a: "1" }]],
    ["with an empty first value: it counts", "a=\na=2\n\n", [{ a: "" }]],
    ["with CR inside a value", "a=x\ry\nb=z\n\n", [{ a: "x\ry", b: "z" }]],
    ["with UTF-8", "sender=jürgen@exämple.net\n\n", [{ sender: "jürgen@exämple.net" }]],
    ["with blanks kept", " a = b \n\n", [{ " a ": " b " }]],
    [
      "with what others take for syntax",
      'a="<]]>${x}%0d%0a..\x1b[2J\n\n',
      [{ a: '"<]]>${x}%0d%0a..\x1b[2J' }],
    ],
    [
      "with names of Object.prototype",
      "constructor=x\ntoString=y\n\n",
      [{ constructor: "x", toString: "y" }],
    ],
  ])("is accepted %s", (_, bytes, requests) => {
    expect(whole(bytes)).toEqual(requests);
    expect(bytewise(bytes)).toEqual(requests);
  });

  it("may name an attribute __proto__, which is a name like any other", () => {
    const parser = new PolicyParser();
    parser.push(Buffer.from("__proto__=polluted\n\n"));
    const attributes = parser.next() as Attributes;
    expect([...attributes]).toEqual([["__proto__", "polluted"]]);
    expect(attributes.get("polluted")).toBeUndefined();
  });

  it("is decoded with U+FFFD where the bytes are no UTF-8", () => {
    const bytes = Buffer.from("sender=\xff\xc3\nhelo_name=\xe2\x82\n\n", "latin1");
    const request = { sender: "\ufffd\ufffd", helo_name: "\ufffd" };
    expect(whole(bytes)).toEqual([request]);
    expect(bytewise(bytes)).toEqual([request]);
  });

  it("is not complete before the empty line", () => {
    const parser = new PolicyParser();
    parser.push(Buffer.from("a=b\n"));
    expect(parser.next()).toBeUndefined();
    expect(parser.begun).toBe(true);
    parser.push(Buffer.from("\n"));
    expect(plain(parser.next()!)).toEqual({ a: "b" });
    expect(parser.next()).toBeUndefined();
    expect(parser.begun).toBe(false);
  });

  it("has not begun while only empty lines came", () => {
    const parser = new PolicyParser();
    parser.push(Buffer.from("\n\r\n\n"));
    expect(parser.next()).toBeUndefined();
    expect(parser.begun).toBe(false);
  });
});

describe("what is no policy request", () => {
  it.each<[string, string, Malformed]>([
    ["a line without =", "a=b\nhello\n\n", { problem: 'no "=" in "hello"', line: 2 }],
    [
      "an HTTP request",
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      { problem: 'no "=" in "GET / HTTP/1.1"', line: 1 },
    ],
    ["an empty name", "=b\n\n", { problem: 'no attribute name before "=" in "=b"', line: 1 }],
    ["NUL in a value", "a=b\nc=d\0e\n\n", { problem: "a NUL byte", line: 2 }],
    ["NUL in a name", "a\0=b\n\n", { problem: "a NUL byte", line: 1 }],
    [
      "another request type",
      "a=b\nrequest=\x1b[2Jjunk\n\n",
      { problem: 'unknown request type "?[2Jjunk", expected smtpd_access_policy', line: 2 },
    ],
    ["an empty request type", "request=\n\n", { problem: expect.stringContaining("request type"), line: 1 }],
  ])("is told what and where: %s", (_, bytes, malformed) => {
    expect(whole(bytes)).toEqual([malformed]);
    expect(bytewise(bytes)).toEqual([malformed]);
  });

  it("ends the parser: the requests before it count, what comes after does not", () => {
    const parser = new PolicyParser();
    parser.push(Buffer.from("a=1\n\njunk\n\na=2\n\n"));
    expect(plain(parser.next()!)).toEqual({ a: "1" });
    const malformed = parser.next();
    expect(malformed).toMatchObject({ line: 1 });
    parser.push(Buffer.from("a=3\n\n"));
    expect(parser.next()).toBe(malformed);
    expect(parser.buffered).toBe(0);
  });
});

describe("limits", () => {
  const limits = { lineBytes: 10, attributes: 3, requestBytes: 24 };

  it.each<[string, string, Parsed]>([
    ["a line at the limit", "a=34567890\n\n", { a: "34567890" }],
    ["a line over it", "a=345678901\n\n", { problem: "a line is longer than 10 bytes", line: 1 }],
    [
      "a line over it that never ends",
      "a=b\nc=345678901",
      { problem: "a line is longer than 10 bytes", line: 2 },
    ],
    ["attributes at the limit", "a=1\nb=2\nc=3\n\n", { a: "1", b: "2", c: "3" }],
    ["attributes over it", "a=1\nb=2\nc=3\nd=4\n", { problem: "more than 3 attributes", line: 4 }],
    ["repeated attributes over it", "a=1\na=2\na=3\na=4\n", { problem: "more than 3 attributes", line: 4 }],
    ["a request at the limit", "a=34567890\nb=34567890\n\n", { a: "34567890", b: "34567890" }],
    [
      "a request over it",
      "a=34567890\nb=34567890\nc=3\n\n",
      { problem: "the request is longer than 24 bytes", line: 3 },
    ],
  ])("hold in any chunking: %s", (_, bytes, expected) => {
    for (let size = 1; size <= bytes.length; size++) {
      expect(
        parse(
          pieces(Buffer.from(bytes), () => size),
          limits,
        ),
      ).toEqual([expected]);
    }
  });

  it("are noticed before a line ends, so that memory stays bounded", () => {
    const parser = new PolicyParser();
    const chunk = Buffer.alloc(16 * 1024, "a");
    let most = 0;
    for (let i = 0; i < 64; i++) {
      parser.push(chunk);
      parser.next();
      most = Math.max(most, parser.buffered);
    }
    expect(parser.next()).toEqual({ problem: "a line is longer than 32768 bytes", line: 1 });
    expect(most).toBeLessThanOrEqual(DEFAULT_PARSER_LIMITS.lineBytes);
  });
});

function pieces(bytes: Buffer, size: () => number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + size();
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}

/** A small repeatable source of chance (mulberry32), so that a failure can be run again. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

describe("any chunking", () => {
  const limits = { lineBytes: 40, attributes: 8, requestBytes: 120 };
  const fragments = [
    "a=",
    "b=1",
    "request=smtpd_access_policy",
    "\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "=",
    "é",
    "🙂",
    "xyz",
  ];
  const rare = ["\0", "request=x", "\xff", "\xe2\x82", "x".repeat(41), "c=d\n".repeat(9)];

  it("gives what the whole gives", () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const roll = chance(seed);
      const parts: Buffer[] = [];
      for (let i = roll(40); i >= 0; i--) {
        const odd = roll(60) === 0;
        const text = odd ? rare[roll(rare.length)]! : fragments[roll(fragments.length)]!;
        parts.push(Buffer.from(text, odd ? "latin1" : "utf8"));
      }
      const bytes = Buffer.concat(parts);
      const expected = parse([bytes], limits);
      expect(
        parse(
          pieces(bytes, () => 1),
          limits,
        ),
        `seed ${seed}, bytewise`,
      ).toEqual(expected);
      expect(
        parse(
          pieces(bytes, () => 1 + roll(20)),
          limits,
        ),
        `seed ${seed}, in pieces`,
      ).toEqual(expected);
    }
  });

  it("gives what the whole gives for recorded requests, cut anywhere", () => {
    const bytes = Buffer.concat(["rcpt", "data", "end-of-message"].map(recorded));
    const expected = parse([bytes]);
    expect(expected).toHaveLength(3);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(parse([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(expected);
    }
  });
});
