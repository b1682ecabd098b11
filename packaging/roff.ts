/**
 * Markdown to man(7). A table becomes a list of terms, since a terminal of 80 columns has no room for one: the first cell is the
 * term, the others follow, each after its column's heading where it has one.
 *
 * Links lose their address when it is an anchor or a file, which a manual page has not; an address on the web stays.
 */
import type { Token, Tokens } from "marked";

/** The body of a page: headings of level 1 are its sections. */
export function roff(tokens: readonly Token[]): string {
  return tokens
    .map(block)
    .filter((text) => text !== "")
    .join("\n")
    .concat("\n")
    .replaceAll(/^(\.S[HS] .*)\n\.PP\n/gm, "$1\n");
}

/** Text that man(7) shows as it is, in a line of its own or within one. */
function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti");
}

function block(token: Token): string {
  switch (token.type) {
    case "heading": {
      const { depth, tokens } = token as Tokens.Heading;
      const title = inline(tokens).replaceAll('"', "\\(dq").replaceAll("\n", " ");
      return depth === 1
        ? `.SH "${title.toUpperCase()}"`
        : depth === 2
          ? `.SS "${title}"`
          : `.PP\n\\fB${title}\\fR`;
    }
    case "paragraph":
      return `.PP\n${flow(inline((token as Tokens.Paragraph).tokens))}`;
    case "text": {
      const { tokens, text } = token as Tokens.Text;
      return flow(tokens === undefined ? prose(text) : inline(tokens));
    }
    case "code":
      return example((token as Tokens.Code).text);
    case "list":
      return list(token as Tokens.List);
    case "table":
      return table(token as Tokens.Table);
    case "blockquote":
      return `.RS 4\n${roff((token as Tokens.Blockquote).tokens).trimEnd()}\n.RE`;
    default:
      // Blank lines, comments, rules: nothing to be read.
      return "";
  }
}

function example(text: string): string {
  const lines = text.split("\n").map((line) => guarded(escaped(line)));
  return `.PP\n.RS 4\n.EX\n${lines.join("\n")}\n.EE\n.RE`;
}

function list({ items, ordered, start }: Tokens.List): string {
  const first = Number(start) || 1;
  return items
    .map((item, index) => {
      const [head = "", ...more] = item.tokens.map(block).filter((text) => text !== "");
      const mark = ordered ? `.IP ${first + index}. 4` : ".IP \\(bu 2";
      const body = head.replace(/^\.PP\n/, "");
      const rest = more.length === 0 ? "" : `\n.RS ${ordered ? 4 : 2}\n${more.join("\n")}\n.RE`;
      return `${mark}\n${body}${rest}`;
    })
    .join("\n");
}

function table({ header, rows }: Tokens.Table): string {
  const labels = header.map(({ tokens }) => inline(tokens));
  const terms = rows.map((cells) => {
    const [term = "", ...others] = cells.map(({ tokens }) => inline(tokens));
    const facts = others.flatMap((text, index) => {
      if (text === "") return [];
      const label = labels[index + 1];
      return [label ? `\\fI${label}:\\fR ${text}` : text];
    });
    return `.TP\n${flow(term || labels[0] || "\\&")}\n${facts.map(flow).join("\n.br\n") || "\\&"}`;
  });
  return [...terms, ".PP"].join("\n").replace(/\n\.PP$/, "");
}

function inline(tokens: readonly Token[]): string {
  return tokens.map(piece).join("");
}

function piece(token: Token): string {
  switch (token.type) {
    case "codespan":
      return `\\fB${escaped((token as Tokens.Codespan).text)}\\fR`;
    case "strong":
      return `\\fB${inline((token as Tokens.Strong).tokens).replaceAll("\\fR", "\\fB")}\\fR`;
    case "em":
      return `\\fI${inline((token as Tokens.Em).tokens).replaceAll("\\fR", "\\fI")}\\fR`;
    case "link": {
      const { href, tokens } = token as Tokens.Link;
      const text = inline(tokens);
      return /^https?:/.test(href) && prose(href) !== text ? `${text} (${prose(href)})` : text;
    }
    case "br":
      return "\n";
    case "html":
      return "";
    default: {
      const { tokens, text } = token as Tokens.Text;
      return tokens === undefined ? prose(text) : inline(tokens);
    }
  }
}

/** As `escaped`, but a hyphen between letters stays one. */
function prose(text: string): string {
  return escaped(text).replaceAll(/(?<=\p{L})\\-(?=\p{L})/gu, "-");
}

/** Lines of running text: none is taken for a request, and blanks at their ends mean nothing. */
function flow(text: string): string {
  return text
    .split("\n")
    .map((line) => guarded(line.trim()))
    .join("\n");
}

function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}
