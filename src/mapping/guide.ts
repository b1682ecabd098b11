/**
 * What mappings/README.md, which is shipped with them, has to say about one of them: the recipe for the service's side.
 *
 * Where its table of mappings links a section in the row of the mapping, that one; else the section whose heading names
 * the mapping, or the family that it belongs to (xacml for xacml-json).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SHIPPED } from "./find.ts";

/** The guide's file. */
export const GUIDE = join(SHIPPED, "README.md");

/** The section about a shipped mapping, its heading first; null where there is none. */
export function recipeFor(name: string): string | null {
  return sectionFor(name, readFileSync(GUIDE, "utf8"));
}

interface Heading {
  readonly line: number;
  readonly level: number;
  readonly text: string;
}

/** The same in a given text. */
export function sectionFor(name: string, guide: string): string | null {
  const lines = guide.split("\n");
  const headings = headingsOf(lines);
  const linked = lines
    .filter((line) => line.startsWith("|") && line.includes(`](${name}.yaml)`))
    .map((line) => /\]\(#([^)]+)\)/.exec(line)?.[1])
    .find((anchor) => anchor !== undefined);
  const heading =
    headings.find(({ text }) => anchorOf(text) === linked) ??
    headings.find(({ text }) => names(text, name)) ??
    headings.find(({ text }) => names(text, name.replace(/\d*-.*$/, "")));
  if (heading === undefined) return null;
  const next = headings.find(({ line, level }) => line > heading.line && level <= heading.level);
  return lines.slice(heading.line, next?.line).join("\n").trimEnd();
}

/** Not those that stand in a block of code, where `#` begins a comment. */
function headingsOf(lines: readonly string[]): readonly Heading[] {
  const headings: Heading[] = [];
  let inCode = false;
  for (const [line, text] of lines.entries()) {
    if (/^\s*```/.test(text)) inCode = !inCode;
    const [, marks, title] = (inCode ? null : /^(#+) (.*)$/.exec(text)) ?? [];
    if (marks !== undefined && title !== undefined) headings.push({ line, level: marks.length, text: title });
  }
  return headings;
}

/** Whether one of the heading's words is the name, whatever its case. */
function names(heading: string, name: string): boolean {
  return ` ${anchorOf(heading).replaceAll("-", " ")} `.includes(` ${name.replaceAll("-", " ")} `);
}

/** What a link to a heading is made of, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}
