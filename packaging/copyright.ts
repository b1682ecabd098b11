/** The file `copyright` of the Debian package (DEP-5): pfxbridge's own licence, and that of each module that is in the package. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { legalTexts, type Module, productionModules } from "./modules.ts";

/** What Debian has a copy of, and wants no second one of. */
const COMMON: Readonly<Record<string, string>> = { "Apache-2.0": "/usr/share/common-licenses/Apache-2.0" };
/** Debian's names where they differ from SPDX's. */
const NAMES: Readonly<Record<string, string>> = { MIT: "Expat" };

export function copyright(root: string): string {
  const own = readFileSync(join(root, "LICENSE"), "utf8").trim();
  const stanzas = productionModules(root).map((module) => stanza(module, legalTexts(root, module)));
  return [
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: pfxbridge",
    paragraph("*", holders([own]), "Expat", own),
    ...stanzas,
  ].join("\n\n");
}

function stanza(module: Module, texts: readonly string[]): string {
  const license = module.license || "Expat";
  const common = COMMON[license];
  const said = texts.filter(
    (text) => common === undefined || !/Apache License\s+Version 2\.0, January 2004/.test(text),
  );
  const body =
    common === undefined && said.length > 0
      ? said.join("\n\n")
      : [
          common ? `On Debian systems the text is in ${common}.` : `Its package.json says: ${license}.`,
          ...said,
        ].join("\n\n");
  const found = holders(texts);
  return paragraph(
    `${module.path}/*`,
    found.length > 0 ? found : [module.authors || `the authors of ${module.name}`],
    NAMES[license] ?? license.replaceAll(/[^\w.+-]+/g, "-"),
    body,
  );
}

function paragraph(files: string, copyright: readonly string[], license: string, text: string): string {
  const lines = text.split(/\r?\n/).map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`));
  return `Files: ${files}\nCopyright: ${copyright.join("\n           ")}\nLicense: ${license}\n${lines.join("\n")}`;
}

/** Who a licence says holds the rights: its lines `Copyright (c) 2020 Somebody`. */
function holders(texts: readonly string[]): string[] {
  const lines = texts.flatMap((text) => text.split(/\r?\n/));
  const found = lines
    .map((line) => /^\W*copyright\s+(?:\(c\)\s*|©\s*)?(.*\d{4}.*)$/i.exec(line)?.[1]?.trim())
    .filter((line) => line !== undefined && line !== "" && !line.includes("[yyyy]"));
  return [...new Set(found as string[])];
}
