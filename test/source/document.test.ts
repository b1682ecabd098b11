import { serialize } from "node:v8";
import { describe, expect, it } from "vitest";
import { readYaml } from "../../src/source/document.ts";
import { formatProblem } from "../../src/source/problem.ts";

/** Every problem as a line of text. */
const problemsOf = (text: string) => readYaml("f.yaml", text).problems.map(formatProblem);

describe("what YAML would turn into something else without a word", () => {
  it.each([
    [
      "a condition that begins with ! (a tag and an anchor)",
      "when: !body.blocked && status == 200",
      "1:7: error: a value that begins with `!` must be in quotes: '!body.blocked && status == 200'",
    ],
    [
      "a condition that begins with ! and a blank",
      "when: ! body.allowed",
      "1:7: error: a value that begins with `!` must be in quotes: '! body.allowed'",
    ],
    [
      "a tag of YAML's own",
      "a: !!str 1",
      "1:4: error: a value that begins with `!` must be in quotes: '!!str 1'",
    ],
    [
      "an anchor that nobody refers to",
      "a: &here there",
      "1:4: error: nothing refers to the anchor; a value that begins with `&` must be in quotes: '&here there'",
    ],
    [
      "an alias of nothing",
      "a: *here",
      "1:4: error: a value that begins with `*` must be in quotes: '*here'",
    ],
    [
      "a text cut by what looks like a comment",
      "action: REJECT 5.7.1 see ticket #42",
      "1:33: error: the text ends before `#42`; quote it if it belongs, or put a blank after the # of a comment",
    ],
    [
      "an expression cut in the middle",
      'to: ${first(a, " # ")}',
      '1:18: error: the text ends before `# ")}`; quote it if it belongs, or put a blank after the # of a comment',
    ],
    ["a leading zero", "a: 007", "1:4: error: `007` would be sent as 7; quote it, or write 7"],
    ["a decimal that is whole", "a: 1.0", "1:4: error: `1.0` would be sent as 1; quote it, or write 1"],
    ["a queue id with an E", "a: 12E456", "1:4: error: `12E456` would be sent as Infinity; quote it"],
    [
      "twenty digits",
      "a: 12345678901234567890",
      "1:4: error: `12345678901234567890` would be sent as 12345678901234567000; quote it",
    ],
    [
      "a number as a list item",
      "a: [1, 0x10]",
      "1:8: error: `0x10` would be sent as 16; quote it, or write 16",
    ],
    ["True", "a: True", "1:4: error: `True` would be sent as true; quote it, or write true"],
    ["a key twice", "a: 1\nb: 2\na: 3", '3:1: error: the key "a" stands twice'],
    ["a number and its text as keys", 'a: { 1: x, "1": y }', '1:12: error: the key "1" stands twice'],
    [
      "a comma inside a value in { }",
      "{ when: a in b, c d }",
      "1:17: error: `c d` has no value; write `key: value`, and quotes around a value that holds a comma",
    ],
    ["__proto__", "__proto__: { a: 1 }", "1:1: error: `__proto__` cannot be used as a key"],
    [
      "a list as key",
      "? [a]\n: 1",
      "1:3: error: a key is plain text; lists, tables and aliases cannot be keys",
    ],
    [
      "a directive",
      "%YAML 1.1\n---\na: 1",
      "1:1: error: a line that begins with `%` has no meaning here; leave it out",
    ],
    [
      "a second document",
      "a: 1\n---\nb: 2",
      "2:1: error: a second document begins here; only one belongs in this file",
    ],
    ["a control character", "a: x\u001b[2J", "1:5: error: a control character stands here"],
    ["an alias within itself", "a: &x [*x]", "1:8: error: `*x` stands within what it refers to"],
  ])("refuses %s", (_, text, message) => {
    expect(problemsOf(text)).toEqual([`f.yaml:${message}`]);
  });
});

describe("what YAML cannot read", () => {
  it.each([
    ["a ternary", "when: a ? b : c", "1:7: error: `: ` needs the whole value in single quotes: 'a ? b : c'"],
    [
      "a header",
      "action: PREPEND X-A: it's ok",
      "1:9: error: `: ` needs the whole value in single quotes: 'PREPEND X-A: it''s ok'",
    ],
    [
      "an expression in { }",
      "json: { from: ${sender} }",
      "1:15: error: inside { } and [ ] a value with ${…} must be in quotes",
    ],
    [
      "an expression in [ ]",
      "json: [${a}]",
      "1:8: error: inside { } and [ ] a value with ${…} must be in quotes",
    ],
    [
      "an expression in { } over lines",
      "json: {\n  a: x ${b}\n}",
      "2:8: error: inside { } and [ ] a value with ${…} must be in quotes",
    ],
    [
      "an expression that begins with a string",
      'when: "OK" == text',
      "1:7: error: text goes on after the closing quote; quote the whole expression: '\"OK\" == text'",
    ],
    [
      "a value that begins with >",
      "when: >= 3",
      "1:7: error: a value that begins with `>` must be in quotes: '>= 3'",
    ],
    [
      "a value that begins with @",
      "a: @b",
      "1:4: error: a value that begins with `@` must be in quotes: '@b'",
    ],
    [
      "a value that begins with *",
      "a: *b c",
      "1:4: error: a value that begins with `*` must be in quotes: '*b c'",
    ],
    [
      "a backslash in double quotes",
      'a: "x\\d"',
      "1:6: error: `\\d` means nothing in double quotes; write the backslash twice, or use single quotes",
    ],
    ["a tab", "a:\n\tb: 1", "2:1: error: a tab stands where only blanks may; indent with blanks"],
    [
      "no blank after the colon",
      "action:DUNNO\nb: 1",
      "1:1: error: a blank must follow the colon: `action: …`",
    ],
    ["no closing quote", 'a: "b\nc: d\n', '1:4: error: the closing `"` is missing'],
    [
      "no closing bracket",
      "a: [1, 2\n",
      "2:1: error: the closing `]` is missing, or stands too far to the left",
    ],
    [
      "deeper than what is above",
      "a: 1\n  b: 2",
      "2:3: error: this line is indented deeper than the one above, which has its value already",
    ],
    [
      "less deep than what is above",
      "  a: 1\n b: 2",
      "2:2: error: the indentation does not fit the lines above",
    ],
    [
      "a text without a key",
      "a: 1\nfoo",
      "2:1: error: expected `key: value`; the colon is missing, or a value before it needs quotes",
    ],
  ])("points at the place: %s", (_, text, message) => {
    expect(problemsOf(text)[0]).toBe(`f.yaml:${message}`);
    expect(readYaml("f.yaml", text).value).toBeNull();
  });

  it("names traps and the first syntax error together, in the order of the lines", () => {
    expect(problemsOf("a: 007\nb: c: d\ne: !f").map((line) => line.slice(0, 10))).toEqual([
      "f.yaml:1:4",
      "f.yaml:2:4",
      "f.yaml:3:4",
    ]);
  });
});

describe("what stays legal", () => {
  it.each([
    ["a comment after a whole value", "timeout: 1s   # one attempt", { timeout: "1s" }],
    ["a comment without a blank after a duration or number", "a: 1s #x\nb: 2 #y", { a: "1s", b: 2 }],
    ["a comment after an action", "action: DUNNO # let it pass", { action: "DUNNO" }],
    ["a comment after quotes", "a: 'b #1' #c", { a: "b #1" }],
    ["a # within a word", "a: b#c", { a: "b#c" }],
    ["an expression in block form", "a: ${b}\nc: x ${d} y", { a: "${b}", c: "x ${d} y" }],
    ["an anchor that is referred to", "a: &x [1, 2]\nb: *x", { a: [1, 2], b: [1, 2] }],
    ["numbers as people write them", "a: [0, -5, 0.5, 1e+21]", { a: [0, -5, 0.5, 1e21] }],
    ["constructor as a key", "constructor: 1", { constructor: 1 }],
    ["a byte order mark", "\ufeffa: 1", { a: 1 }],
    ["lines that end in CR LF", "a: 1\r\nb: 2\r\n", { a: 1, b: 2 }],
    ["nothing", "# only a comment\n", null],
  ])("%s", (_, text, value) => {
    expect(problemsOf(text)).toEqual([]);
    expect(readYaml("f.yaml", text).value).toEqual(value);
  });
});

describe("limits", () => {
  it.each([
    ["size", "a".repeat(300_000), "the file is larger than 256 KiB"],
    ["nesting", "[".repeat(200_000), "nested"],
    ["nesting that is closed", `${"[".repeat(100)}${"]".repeat(100)}`, "nested deeper than 64 levels"],
    [
      "aliases that multiply",
      `a0: &a0 [1, 1]\n${Array.from({ length: 40 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]`).join("\n")}\nz: *a40`,
      "more than 50000 values",
    ],
  ])("%s", (_, text, message) => {
    expect(problemsOf(text).join("\n")).toContain(message);
  });

  it("shows no control character and no endless line in a message", () => {
    const [problem] = problemsOf(`a: "\\e[2J${"x".repeat(1000)}": b`);
    expect(problem?.length).toBeLessThan(300);
    expect(problemsOf('? "\\e[2J"\n: 1\n? "\\e[2J"\n: 2')[0]).toContain('"\\x1b[2J"');
  });

  it("shows nothing of a value whose key names a secret", () => {
    const text = "password: hunter2 #tail\ntoken: 0012345\nclient_secret: a: hidden";
    expect(problemsOf(text)).toHaveLength(3);
    expect(problemsOf(text).join()).not.toMatch(/hunter2|tail|12345|hidden/);
  });
});

describe("positions", () => {
  const text = [
    "routes:",
    '  - when: sender == "a"',
    "    action: DUNNO",
    "  - { when: 'it''s x', action: REJECT }",
    'quoted: "a\\tb\\u00e9c\\',
    '  d"',
    "literal: |",
    "  first",
    "    second",
    "folded: >-",
    "  one",
    "  two",
    "plain: one",
    "  two",
    "empty:",
    "shared: &s { in: side }",
    "alias: *s",
  ].join("\n");
  const document = readYaml("f.yaml", text);
  const place = (...[path, , options]: Parameters<typeof document.problem>) => {
    const { line, column } = document.problem(path, "x", options);
    return `${line}:${column}`;
  };

  it.each([
    ["a value", ["routes", 0, "action"], {}, "3:13"],
    ["a key", ["routes", 0, "action"], { key: true }, "3:5"],
    ["an item in block form", ["routes", 0], {}, "2:5"],
    ["an item in { }", ["routes", 1], {}, "4:5"],
    ["a table in block form, by its key", ["routes"], {}, "1:1"],
    ["an empty value, by its key", ["empty"], {}, "15:1"],
    ["what is missing, by the innermost that is there", ["routes", 0, "service"], {}, "2:5"],
    ["what an alias stands for", ["alias", "in"], {}, "16:18"],
    ["the whole", [], {}, "1:1"],
    ["a place in a plain text", ["routes", 0, "when"], { offset: 7 }, "2:18"],
    ["a place in single quotes", ["routes", 1, "when"], { offset: 5 }, "4:20"],
    ["a place behind escapes", ["quoted"], { offset: 4 }, "5:20"],
    ["a place behind a continued line", ["quoted"], { offset: 5 }, "6:3"],
    ["a place in a literal block", ["literal"], { offset: 8 }, "9:5"],
    ["a place in a folded block", ["folded"], { offset: 5 }, "12:4"],
    ["a place in a plain text over lines", ["plain"], { offset: 4 }, "14:3"],
  ] as const)("%s", (_, path, options, expected) => {
    expect(place(path, "x", options)).toBe(expected);
  });

  it("finds every character of a quoted text that has escapes of all kinds", () => {
    const value = 'a"b\\c\u{1f600}d\u00e9e';
    const quoted = readYaml("f.yaml", 'k: "a\\"b\\\\c\\U0001f600d\\xe9e"');
    expect(quoted.value).toEqual({ k: value });
    const columns = ["a", "b", "c", "d", "e"].map(
      (character) => quoted.problem(["k"], "x", { offset: value.indexOf(character) }).column,
    );
    expect(columns).toEqual([5, 8, 11, 22, 27]);
  });
});

describe("a text", () => {
  /** What V8 writes before a string that it keeps in one byte a character; before one in two, "c". */
  const ONE_BYTE = '"';

  it.each([
    [
      "after a comment with an ellipsis",
      "# …\naction: REJECT 5.7.1 not permitted here",
      "REJECT 5.7.1 not permitted here",
    ],
    ["beside a text that needs two", "a: 日本\naction: Zürich, é and ÿ", "Zürich, é and ÿ"],
  ])("is kept in one byte a character where it can be: %s", (_, text, expected) => {
    const { action } = readYaml("f.yaml", text).value as { action: string };
    expect(action).toBe(expected);
    expect(String.fromCharCode(serialize(action)[2]!)).toBe(ONE_BYTE);
  });

  it("stays what it is where it cannot", () => {
    expect(readYaml("f.yaml", 'a: "日本 😀 \\ud800"').value).toEqual({ a: "日本 😀 \ud800" });
  });
});
