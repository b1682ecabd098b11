/**
 * Where in the text a character of a scalar's value stands, so that an error inside an expression points at
 * the very place, also when the expression is quoted, escaped, or spread over lines.
 *
 * Walks value and text side by side. Exact for every character but the blanks at the beginning of a block
 * scalar's lines, which look the same as its indentation.
 */
import type { Scalar } from "yaml";

const ESCAPE_WIDTH: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 };

/** The offset in `text` of the character at `offset` of the scalar's value; its end for one behind the last. */
export function offsetInScalar(node: Scalar, text: string, offset: number): number {
  const [start = 0, end = 0] = node.range ?? [];
  const value = typeof node.value === "string" ? node.value : text.slice(start, end);
  let place = startOfValue(node, text, start);
  let at = 0;
  while (at < offset && at < value.length && place < end) {
    place = skipToCharacter(node, text, place, value[at]);
    const width = widthInSource(node, text, place);
    at += width === ESCAPE_WIDTH.U && (value.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    place += width;
  }
  return Math.min(skipToCharacter(node, text, place, value[at]), end);
}

function startOfValue(node: Scalar, text: string, start: number): number {
  if (node.type === "BLOCK_FOLDED" || node.type === "BLOCK_LITERAL") return text.indexOf("\n", start) + 1;
  return node.type === "QUOTE_DOUBLE" || node.type === "QUOTE_SINGLE" ? start + 1 : start;
}

/** Passes indentation and folded line breaks: what stands in the text but not in the value. */
function skipToCharacter(node: Scalar, text: string, from: number, character: string | undefined): number {
  let place = from;
  if (character === undefined) return place;
  const continued =
    node.type === "QUOTE_DOUBLE" ? /^\\\r?\n[ \t]*/.exec(text.slice(place, place + 200)) : null;
  if (continued !== null) place += continued[0].length;
  if (character === "\n") {
    while (text[place] === " " || text[place] === "\t" || text[place] === "\r") place += 1;
  } else if (character !== " " && character !== "\t") {
    while (/\s/.test(text[place] ?? "")) place += 1;
  }
  return place;
}

/** How many characters of the text stand for the one of the value that is there. */
function widthInSource(node: Scalar, text: string, place: number): number {
  if (node.type === "QUOTE_DOUBLE" && text[place] === "\\") return ESCAPE_WIDTH[text[place + 1] ?? ""] ?? 2;
  return node.type === "QUOTE_SINGLE" && text[place] === "'" ? 2 : 1;
}
