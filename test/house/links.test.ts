/** Each link from one document to another leads somewhere: the file is there, and has the heading. A part of `npm run check`. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { lexer, type Token, walkTokens } from "marked";
import { expect, it } from "vitest";
import { anchors } from "../../packaging/sections.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const within = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join(folder, file));
// deploy/man is in its own form, and packaging includes in it what it names, or fails.
const DOCUMENTS = ["README.md", "CHANGELOG.md", "src/README.md", "mappings/README.md", ...within("deploy")];

function links(markdown: string): string[] {
  const found: string[] = [];
  const look = (token: Token) => {
    if ((token.type === "link" || token.type === "image") && !/^\w+:/.test(token.href))
      found.push(token.href);
  };
  walkTokens(lexer(markdown), look);
  return found;
}

/** What is wrong with it; undefined where it leads somewhere. */
function problem(document: string, link: string): string | undefined {
  const [path = "", anchor] = link.split("#");
  const file = path === "" ? document : relative(ROOT, resolve(ROOT, dirname(document), decodeURI(path)));
  if (!existsSync(join(ROOT, file))) return `${file} is not there`;
  if (anchor === undefined) return undefined;
  const there = anchors(readFileSync(join(ROOT, file), "utf8"));
  return there.includes(anchor) ? undefined : `${file} has no heading #${anchor}`;
}

it.each(DOCUMENTS)("%s links to what is there", (document) => {
  const all = links(readFileSync(join(ROOT, document), "utf8"));
  const wrong = all.flatMap((link) => {
    const why = problem(document, link);
    return why === undefined ? [] : [`${link}: ${why}`];
  });
  expect(wrong).toEqual([]);
});

it("README leads to each page of deploy/doc", () => {
  const all = links(readFileSync(join(ROOT, "README.md"), "utf8")).map((link) => link.split("#")[0]);
  for (const page of within("deploy/doc")) expect(all).toContain(page);
});
