/**
 * The manual pages, from deploy/man/NAME.SECTION.md. There, a line
 *
 *     <!-- include deploy/doc/commands.md#commands -->
 *
 * is what stands in that document under that heading, and `<!-- include help -->` is what each command says of itself; so pages,
 * documents and `--help` have one source. They are made with each package, and cannot be stale.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { lexer, type Token } from "marked";
import type { CommandHelp } from "./help.ts";
import { roff } from "./roff.ts";
import { section } from "./sections.ts";

export interface ManPage {
  /** `pfxbridge.yaml.5`, say. */
  readonly file: string;
  readonly text: string;
}

export interface ManPageOptions {
  /** The checkout. */
  readonly root: string;
  readonly version: string;
  /** YYYY-MM-DD, for the foot of each page. */
  readonly date: string;
  readonly commands: readonly CommandHelp[];
}

/** All of them. @throws Error where a page includes what is no longer there */
export function manPages(options: ManPageOptions): ManPage[] {
  const folder = join(options.root, "deploy/man");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".md"))
    .map((file) => manPage(file, readFileSync(join(folder, file), "utf8"), options));
}

function manPage(source: string, markdown: string, options: ManPageOptions): ManPage {
  const file = source.replace(/\.md$/, "");
  const [, name = "", number = ""] = /^(.*)\.(\d)$/.exec(file) ?? [];
  if (name === "") throw new Error(`deploy/man/${source}: expected NAME.SECTION.md`);
  const tokens = lexer(markdown).flatMap((token) => included(token, source, options));
  const title = `.TH ${name.toUpperCase()} ${number} ${options.date} "pfxbridge ${options.version}" pfxbridge`;
  return { file, text: `.\\" Made from deploy/man/${source}.\n${title}\n.nh\n.ad l\n${roff(tokens)}` };
}

function included(token: Token, source: string, { root, commands }: ManPageOptions): Token[] {
  const [, what] = (token.type === "html" && /^<!-- include (\S+) -->/.exec(token.raw)) || [];
  if (what === undefined) return [token];
  if (what === "help")
    return commands.flatMap(({ name, help }) => lexer(`## ${name}\n\n\`\`\`\n${help}\n\`\`\`\n`));
  const [document = "", anchor = ""] = what.split("#");
  try {
    return section(readFileSync(join(root, document), "utf8"), anchor);
  } catch (error) {
    throw new Error(`deploy/man/${source}: ${document}: ${(error as Error).message}`);
  }
}
