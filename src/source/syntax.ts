/**
 * What the YAML parser complains about, in words that tell an administrator what to write.
 *
 * Takes the first error of the `yaml` library and the text, gives a message and the offset that it is about:
 * the parser's own offset is often where it noticed, not where the mistake is.
 */
import type { YAMLError } from "yaml";
import { excerpt, restOfLine, valueInQuotes } from "../text/excerpt.ts";
import type { Finding, Token } from "./tokens.ts";

export function explainSyntaxError(error: YAMLError, text: string, tokens: readonly Token[]): Finding {
  const offset = error.pos[0];
  switch (error.code) {
    case "TAB_AS_INDENT":
      return { offset, message: "a tab stands where only blanks may; indent with blanks" };
    case "BAD_SCALAR_START":
      return {
        offset,
        message: `a value that begins with \`${text[offset] ?? ""}\` must be in quotes${valueInQuotes(text, offset)}`,
      };
    case "BAD_DQ_ESCAPE":
      return {
        offset,
        message: `\`${excerpt(text.slice(offset, offset + 2))}\` means nothing in double quotes; write the backslash twice, or use single quotes`,
      };
    case "BLOCK_AS_IMPLICIT_KEY":
      return nestedMapping(text, offset);
    case "MISSING_CHAR":
    case "MULTILINE_IMPLICIT_KEY":
      return missing(error, text, offset, tokens);
    case "BAD_INDENT":
      return badIndent(error, offset);
    case "MULTIPLE_DOCS":
      return { offset, message: "a second document begins here; only one belongs in this file" };
    case "UNEXPECTED_TOKEN":
      return unexpected(error, text, offset, tokens);
    default:
      return { offset, message: `this is no readable YAML (${excerpt(firstLine(error.message))})` };
  }
}

/** `a ? b : c` and `PREPEND X-A: ok`; or a line that is indented below a key that has its value already. */
function nestedMapping(text: string, offset: number): Finding {
  const line = restOfLine(text, offset);
  if (/:(\s|$)|^\?\s/.test(line)) {
    return { offset, message: `\`: \` needs the whole value in single quotes${valueInQuotes(text, offset)}` };
  }
  const next = text.slice(offset + line.length).search(/\S/);
  return {
    offset: next === -1 ? offset : offset + line.length + next,
    message: "this line is indented deeper than the one above, which has its value already",
  };
}

function missing(error: YAMLError, text: string, offset: number, tokens: readonly Token[]): Finding {
  if (error.message.startsWith("Missing closing")) {
    const open = tokens.findLast((token) => token.type?.endsWith("quoted-scalar") && token.offset <= offset);
    const quote = open?.source[0] ?? '"';
    return { offset: open?.offset ?? offset, message: `the closing \`${quote}\` is missing` };
  }
  if (error.message.includes("between flow")) {
    return {
      offset,
      message:
        "a comma is missing between the items of [ ] or { }, or a value in them needs quotes around the whole of it",
    };
  }
  const line = restOfLine(text, offset);
  const glued = /^([A-Za-z_][\w-]*):(?=\S)/.exec(line);
  if (glued !== null) {
    return { offset, message: `a blank must follow the colon: \`${glued[1]}: …\`` };
  }
  return {
    offset,
    message: "expected `key: value`; the colon is missing, or a value before it needs quotes",
  };
}

function badIndent(error: YAMLError, offset: number): Finding {
  const closing = /end with a ([\]}])/.exec(error.message)?.[1];
  return closing === undefined
    ? { offset, message: "the indentation does not fit: what belongs together starts in the same column" }
    : { offset, message: `the closing \`${closing}\` is missing, or stands too far to the left` };
}

function unexpected(error: YAMLError, text: string, offset: number, tokens: readonly Token[]): Finding {
  if (error.message.startsWith("Block scalar header")) {
    const start = Math.max(text.lastIndexOf(">", offset), text.lastIndexOf("|", offset));
    return {
      offset: start,
      message: `a value that begins with \`${text[start] ?? ""}\` must be in quotes${valueInQuotes(text, start)}`,
    };
  }
  if (error.message.includes("block-seq-ind on same line")) {
    return {
      offset,
      message: "a list begins on the next line; a value that begins with `-` must be in quotes",
    };
  }
  const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
  if (text.slice(lineStart, offset).trim() === "") {
    return { offset, message: "the indentation does not fit the lines above" };
  }
  const before = tokens.findLast(
    (token) => token.offset < offset && token.type !== "space" && token.type !== "newline",
  );
  if (before !== undefined && before.offset >= lineStart && before.type?.endsWith("quoted-scalar")) {
    const flow = /[{[]/.test(text.slice(lineStart, before.offset));
    return {
      offset: before.offset,
      message: `text goes on after the closing quote; quote the whole expression${flow ? "" : valueInQuotes(text, before.offset)}`,
    };
  }
  if (before?.type === "alias") {
    return {
      offset: before.offset,
      message: `a value that begins with \`*\` must be in quotes${valueInQuotes(text, before.offset)}`,
    };
  }
  if (before?.source === "]" || before?.source === "}") {
    return {
      offset,
      message: `text goes on after \`${before.source}\`; if it is all one value, quote the whole of it`,
    };
  }
  return {
    offset,
    message: `\`${excerpt(restOfLine(text, offset).slice(0, 20))}\` is not expected here; if it belongs to a value, quote the whole value`,
  };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
