/**
 * XML with `${…}` in its texts and attribute values, as an administrator writes it, to XML text with gaps.
 *
 * The expressions are taken out before anything reads the XML, so that quotes, `<` and `&&` in them are CEL's. The text
 * stays as written: prefixes, quotes and white space. `${…}` anywhere else is a mistake.
 */

import type { Slot, Template } from "../../expression/template.ts";
import type { Path } from "../../source/position.ts";
import { fastXml } from "../fast-xml.ts";
import { type CompileContext, type Render, renderText } from "./context.ts";
import { fitsXml, xmlAttribute, xmlText } from "./escape.ts";

/** A tag, or what is between two: literal text and values. */
export interface XmlToken {
  readonly kind: "open" | "close" | "empty" | "text" | "cdata" | "comment";
  readonly pieces: readonly (string | Render)[];
}

/** Stands for an expression while the XML is divided; no XML can hold it. */
const MARK = "\u0000";

const TOKEN =
  /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<\/[^>]*>|<(?:"[^"]*"|'[^']*'|[^>"'])*>|[^<]+/g;

/** The template with every expression replaced by as many letters: for what checks the XML, with the same offsets. */
export function maskSlots({ text, parts }: Template): string {
  let masked = "";
  for (const part of parts) {
    if (typeof part === "string") continue;
    masked += text.slice(masked.length, part.start) + text.slice(part.start, part.end).replace(/[^\n]/g, "x");
  }
  return masked + text.slice(masked.length);
}

/** Around the XML while it is checked, since it may have several roots. */
const ROOT = "root";

/** Reports XML that is not well-formed; it may be several elements side by side. */
export function checkWellFormed(masked: string, path: Path, context: CompileContext): boolean {
  if (!fitsXml(masked)) {
    context.report(path, "this holds a character that XML cannot hold");
    return false;
  }
  const root = `<${ROOT}>`;
  const result = fastXml().XMLValidator.validate(`${root}${masked}</${ROOT}>`);
  if (result === true) return true;
  const { msg, line, col } = result.err;
  const lines = masked.split("\n");
  const before = lines.slice(0, line - 1).reduce((length, text) => length + text.length + 1, 0);
  const offset = before + (col ?? 1) - 1 - (line === 1 ? root.length : 0);
  context.report(
    path,
    `this is not well-formed XML: ${tagMessage(msg)}`,
    Math.min(Math.max(offset, 0), masked.length),
  );
  return false;
}

/** The validator's message without the positions that it counts from our root. */
function tagMessage(message: string): string {
  const [, open, close] =
    /^Expected closing tag '(.+)' \(.*\) instead of closing tag '(.+)'/.exec(message) ?? [];
  if (open === undefined) return message;
  return close === ROOT ? `<${open}> is not closed` : `</${open}> was expected instead of </${close}>`;
}

/** The tokens of well-formed XML; a `${…}` where no value can go is reported. */
export function xmlTokens(template: Template, path: Path, context: CompileContext): XmlToken[] {
  const slots = template.parts.filter((part) => typeof part !== "string");
  const marked = template.parts.map((part) => (typeof part === "string" ? part : MARK)).join("");
  let next = 0;

  function pieces(
    text: string,
    encode: ((value: string) => string) | null,
    where: string,
  ): (string | Render)[] {
    return text.split(MARK).flatMap((literal, index) => {
      if (index === 0) return [literal];
      const slot = slots[next++] as Slot;
      if (encode !== null) return [renderText(slot.expression, path, encode), literal];
      context.report(
        path,
        `\${…} cannot stand in ${where}; only texts and attribute values can hold one`,
        slot.start,
      );
      return [literal];
    });
  }

  return (marked.match(TOKEN) ?? []).map((text): XmlToken => {
    if (text.startsWith("<!--")) return { kind: "comment", pieces: pieces(text, null, "a comment") };
    if (text.startsWith("<![CDATA[")) return { kind: "cdata", pieces: pieces(text, null, "CDATA") };
    if (text.startsWith("<?"))
      return { kind: "comment", pieces: pieces(text, null, "a processing instruction") };
    if (text.startsWith("</")) return { kind: "close", pieces: pieces(text, null, "a tag name") };
    if (!text.startsWith("<")) return { kind: "text", pieces: pieces(text, xmlText, "text") };
    const parts = text.match(/"[^"]*"|'[^']*'|[^"']+/g) ?? [];
    return {
      kind: text.endsWith("/>") ? "empty" : "open",
      pieces: parts.flatMap((part) =>
        /^["']/.test(part)
          ? pieces(part, xmlAttribute, "")
          : pieces(part, null, "the name of a tag or attribute"),
      ),
    };
  });
}
