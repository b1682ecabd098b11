/** The tokens of a YAML text with their offsets, and the mistakes that only they show: tags, anchors, `{ ${x} }`. */
import { CST, Lexer } from "yaml";
import { valueInQuotes } from "../text/excerpt.ts";

/** A message about one place in the text. */
export interface Finding {
  /** In UTF-16 units from the beginning of the text. */
  readonly offset: number;
  readonly message: string;
}

/** More than anybody reads; a file that is all traps must not cost more than one that is not. */
export const MAX_FINDINGS = 50;
/** Lists and tables within each other. The parser is recursive, and slow where it overflows. */
export const MAX_DEPTH = 64;

export interface Token {
  /** As the `yaml` library calls it: "tag", "anchor", "double-quoted-scalar" …; null for what it does not name. */
  readonly type: string | null;
  readonly source: string;
  /** In UTF-16 units from the beginning of the text. */
  readonly offset: number;
}

export function readTokens(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let offset = 0;
  let plain = false;
  for (const source of new Lexer().lex(text)) {
    const type: string | null = plain ? "scalar" : CST.tokenType(source);
    if (!plain && (type === "doc-mode" || type === "flow-error-end" || type === "scalar")) {
      // Marks that the lexer inserts; they stand for no text.
      plain = type === "scalar";
      continue;
    }
    plain = false;
    tokens.push({ type, source, offset });
    offset += source.length;
  }
  return tokens;
}

/**
 * What YAML takes for syntax and an administrator meant as text. `when: !a && b` is valid YAML for `b`
 * with a tag and an anchor: a rule turned round in silence, so nothing of the kind is let pass.
 */
export function findTokenTraps(text: string, tokens: readonly Token[]): readonly Finding[] {
  const findings: Finding[] = [];
  const referred = new Set(
    tokens.filter(({ type }) => type === "alias").map(({ source }) => source.slice(1)),
  );
  const anchors = new Set<string>();
  let tagLineEnd = -1;
  for (const [index, { type, source, offset }] of tokens.entries()) {
    if (offset < tagLineEnd) continue;
    if (findings.length === MAX_FINDINGS) break;
    const inQuotes = () => valueInQuotes(text, offset);
    if (type === "tag") {
      findings.push({ offset, message: `a value that begins with \`!\` must be in quotes${inQuotes()}` });
      const end = text.indexOf("\n", offset);
      tagLineEnd = end === -1 ? text.length : end;
    } else if (type === "anchor") {
      anchors.add(source.slice(1));
      if (!referred.has(source.slice(1))) {
        const message = `nothing refers to the anchor; a value that begins with \`&\` must be in quotes${inQuotes()}`;
        findings.push({ offset, message });
      }
    } else if (type === "alias" && !anchors.has(source.slice(1))) {
      const message = `a value that begins with \`*\` must be in quotes${inQuotes()}`;
      findings.push({ offset, message });
    } else if (type === "directive-line") {
      findings.push({ offset, message: "a line that begins with `%` has no meaning here; leave it out" });
    } else if (type === "scalar" && source.endsWith("$") && tokens[index + 1]?.type === "flow-map-start") {
      const message = "inside { } and [ ] a value with ${…} must be in quotes";
      findings.push({ offset: offset + source.length - 1, message });
    }
  }
  return findings;
}

/** How deep [ ] and { } are nested, and lists that begin on one line (`- - -`): what the parser would recurse into. */
export function nestingOf(tokens: readonly Token[]): number {
  let deepest = 0;
  let flow = 0;
  let onLine = 0;
  for (const { type } of tokens) {
    if (type === "flow-map-start" || type === "flow-seq-start") flow += 1;
    else if (type === "flow-map-end" || type === "flow-seq-end") flow = Math.max(0, flow - 1);
    else if (type === "seq-item-ind" || type === "explicit-key-ind") onLine += 1;
    else if (type === "newline") onLine = 0;
    deepest = Math.max(deepest, flow + onLine);
  }
  return deepest;
}
