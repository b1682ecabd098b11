/**
 * Parts of a Markdown document, by the anchor of their heading, as links on GitHub name them: so that a manual page and the
 * documents have one source.
 */
import { lexer, type Token, type Tokens } from "marked";

/**
 * What stands under a heading, up to the next one of its level: without the heading itself, and with the headings in it raised,
 * so that the topmost is of level 2.
 *
 * @throws Error where the document has no such heading
 */
export function section(markdown: string, anchor: string): Token[] {
  const tokens = lexer(markdown);
  const start = tokens.findIndex((token) => isHeading(token) && anchorOf(token.text) === anchor);
  const heading = tokens[start];
  if (heading === undefined || !isHeading(heading)) {
    throw new Error(`there is no heading #${anchor} any more; there are ${anchors(markdown).join(", ")}`);
  }
  const rest = tokens.slice(start + 1);
  const end = rest.findIndex((token) => isHeading(token) && token.depth <= heading.depth);
  const raise = heading.depth - 1;
  return (end === -1 ? rest : rest.slice(0, end)).map((token) =>
    isHeading(token) ? { ...token, depth: token.depth - raise } : token,
  );
}

function isHeading(token: Token): token is Tokens.Heading {
  return token.type === "heading";
}

/** The anchors of all headings of a document. */
export function anchors(markdown: string): string[] {
  return lexer(markdown)
    .filter(isHeading)
    .map(({ text }) => anchorOf(text));
}

/** "What `authzen` asks" is #what-authzen-asks. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
