/**
 * A YAML file as plain data that remembers where everything stood.
 *
 * `readYaml` never throws: what is wrong is in `problems`, each with line and column and what to write instead.
 * It is stricter than YAML, since YAML turns much that an administrator means as text into something else
 * without a word: tags (`!a && b`), comments (`ticket #42`), numbers (`007`), duplicate keys.
 */

import type { Node } from "yaml";
import { LineCounter, parseDocument, visit } from "yaml";
import { type Anchors, toData } from "./data.ts";
import { locate, type Path } from "./position.ts";
import type { Problem } from "./problem.ts";
import { explainSyntaxError } from "./syntax.ts";
import { type Finding, findTokenTraps, MAX_DEPTH, nestingOf, readTokens } from "./tokens.ts";

/** In characters; the parser needs about a second for the worst of this size, and it blocks. */
const MAX_LENGTH = 256 * 1024;

export interface ProblemOptions {
  /** A character of the scalar's value, from 0, escapes and folded lines resolved. */
  readonly offset?: number;
  /** Point at the key, not at its value. */
  readonly key?: boolean;
  /** Default: "error". */
  readonly severity?: "error" | "warning";
}

export interface YamlDocument {
  readonly file: string;
  /** Plain objects, arrays, strings, numbers, booleans and null; null when the text is not readable. */
  readonly value: unknown;
  /** What is wrong with the text as YAML, in the order of the lines. */
  readonly problems: readonly Problem[];
  /**
   * A problem with what `path` leads to; where it leads to nothing, with the innermost part that is there.
   *
   *     document.problem(["routes", 0, "when"], "unknown attribute `sendr`", { offset: 0 })
   */
  problem(path: Path, message: string, options?: ProblemOptions): Problem;
}

/** Reads `text`, the content of `file`. */
export function readYaml(file: string, text: string): YamlDocument {
  if (text.length > MAX_LENGTH) {
    return unreadable(file, `the file is larger than ${MAX_LENGTH / 1024} KiB`);
  }
  const source = text.startsWith("\ufeff") ? text.slice(1) : text;
  const tokens = readTokens(source);
  if (nestingOf(tokens) > MAX_DEPTH) {
    return unreadable(file, `lists and tables are nested deeper than ${MAX_DEPTH} levels`);
  }
  const control = source.search(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/);
  const lineCounter = new LineCounter();
  try {
    const document = parseDocument(source, {
      lineCounter,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "error",
    });
    const anchors = readAnchors(document.contents);
    const data = toData(document.contents, source, anchors);
    const traps = [...findTokenTraps(source, tokens), ...data.findings];
    if (control !== -1) traps.push({ offset: control, message: "a control character stands here" });
    const complaint = document.errors[0] ?? (traps.length === 0 ? document.warnings[0] : undefined);
    const findings = withSyntaxError(
      traps,
      complaint && explainSyntaxError(complaint, source, tokens),
      (offset) => lineCounter.linePos(offset).line,
    );
    return {
      file,
      value: document.errors.length === 0 ? data.value : null,
      problems: findings.map(({ offset, message }) => at(file, lineCounter, offset, message, "error")),
      problem: (path, message, options = {}) =>
        at(
          file,
          lineCounter,
          locate(document.contents, source, anchors, path, options),
          message,
          options.severity ?? "error",
        ),
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return unreadable(file, `lists and tables are nested deeper than ${MAX_DEPTH} levels`);
  }
}

/**
 * Of the syntax errors only the first counts, since the others follow from it; with one, of each line only
 * the first finding, for the same reason.
 */
function withSyntaxError(
  traps: readonly Finding[],
  error: Finding | undefined,
  lineOf: (offset: number) => number,
): readonly Finding[] {
  const byOffset = (a: Finding, b: Finding) => a.offset - b.offset;
  if (error === undefined) return [...traps].sort(byOffset);
  const lines = new Set<number>();
  return [...[...traps].sort(byOffset), error]
    .filter(({ offset }) => {
      const seen = lines.has(lineOf(offset));
      lines.add(lineOf(offset));
      return !seen;
    })
    .sort(byOffset);
}

function readAnchors(contents: Node | null): Anchors {
  const anchors = new Map<string, Node>();
  visit(contents, {
    Value: (_, node) => {
      if (node.anchor !== undefined && !anchors.has(node.anchor)) anchors.set(node.anchor, node);
    },
  });
  return anchors;
}

function at(
  file: string,
  lineCounter: LineCounter,
  offset: number,
  message: string,
  severity: Problem["severity"],
): Problem {
  const { line, col } = lineCounter.linePos(offset);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1), message, severity };
}

function unreadable(file: string, message: string): YamlDocument {
  return {
    file,
    value: null,
    problems: [{ file, message, severity: "error" }],
    problem: (_, text, options = {}) => ({ file, message: text, severity: options.severity ?? "error" }),
  };
}
