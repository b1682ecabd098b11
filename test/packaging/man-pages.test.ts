/** The manual pages, as far as they need no build: what they include is there, and man(7) says what Markdown said. */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { lexer } from "marked";
import { describe, expect, it } from "vitest";
import { manPages } from "../../packaging/man-pages.ts";
import { roff } from "../../packaging/roff.ts";
import { section } from "../../packaging/sections.ts";

const OPTIONS = {
  root: resolve(import.meta.dirname, "../.."),
  version: "9.9.9",
  date: "2026-01-02",
  commands: [],
};
const pages = manPages(OPTIONS);
const page = (file: string) => pages.find((one) => one.file === file)?.text ?? "";

describe("manual pages", () => {
  it("are three, each of which whatis can file", () => {
    expect(pages.map(({ file }) => file).sort()).toEqual([
      "pfxbridge-mapping.5",
      "pfxbridge.1",
      "pfxbridge.yaml.5",
    ]);
    for (const { file, text } of pages) {
      const [, name, number] = /^(.*)\.(\d)$/.exec(file) ?? [];
      expect(text).toContain(`.TH ${name?.toUpperCase()} ${number} 2026-01-02 "pfxbridge 9.9.9"`);
      expect(text).toMatch(new RegExp(`\\.SH "NAME"\n${name?.replaceAll("-", "\\\\?-")} \\\\- \\S`));
    }
  });

  it("have the tables of the documents", () => {
    expect(page("pfxbridge.1")).toContain(".TP\n\\fBpfxbridge serve");
    expect(page("pfxbridge.yaml.5")).toContain(
      ".TP\n\\fBservices.NAME.timeout\\fR\n\\fIdefault:\\fR \\fB1s\\fR\n",
    );
    expect(page("pfxbridge.yaml.5")).toContain(".TP\n\\fBcircuit_open\\fR\n");
    expect(page("pfxbridge-mapping.5")).toContain("client_address");
  });

  it("say which page includes what is no longer there", () => {
    expect(() => section("# A\n\n## B c\n", "gone")).toThrow(
      "there is no heading #gone any more; there are a, b-c",
    );
  });

  it.skipIf(spawnSync("man", ["--version"]).error !== undefined)("are shown without a warning", () => {
    const env = { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "80", MANROFFSEQ: "" };
    for (const { text } of pages) {
      const args = ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", "-"];
      const { stderr, status } = spawnSync("man", args, { input: text, env, encoding: "utf8" });
      expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    }
  });
});

describe("roff", () => {
  const cases: readonly (readonly [what: string, markdown: string, man: string])[] = [
    ["a paragraph", "one *two* **three** `fo-ur`", ".PP\none \\fItwo\\fR \\fBthree\\fR \\fBfo\\-ur\\fR\n"],
    ["headings", "# a b\n\n## c\n\ntext", '.SH "A B"\n.SS "c"\ntext\n'],
    ["what would be a request", ".PP\n\n'a' \\n", ".PP\n\\&.PP\n.PP\n\\(aqa\\(aq \\en\n"],
    ["a block of code", "```\n.x\n'y \\ -\n```", ".PP\n.RS 4\n.EX\n\\&.x\n\\(aqy \\e \\-\n.EE\n.RE\n"],
    ["a list", "1. one\n2. two", ".IP 1. 4\none\n.IP 2. 4\ntwo\n"],
    [
      "a table",
      "| k | d | |\n|-|-|-|\n| `a` | `1` | what |\n| b | | |",
      ".TP\n\\fBa\\fR\n\\fId:\\fR \\fB1\\fR\n.br\nwhat\n.TP\nb\n\\&\n",
    ],
    [
      "a link to a heading, and one to the web",
      "[a](#b) [c](https://d.example)",
      ".PP\na c (https://d.example)\n",
    ],
  ];
  it.each(cases)("shows %s", (_, markdown, man) => {
    expect(roff(lexer(markdown))).toBe(man);
  });
});
