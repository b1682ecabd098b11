/** The blocks of code that a document shows, so that tests can hold it to them. */

export interface Block {
  /** The heading that it stands under. */
  readonly title: string;
  readonly text: string;
}

/** Those that begin with three backticks and exactly this `info`. */
export function blocks(document: string, info: string): Block[] {
  return [...document.matchAll(/^( *)```(.*)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, , language]) => language === info)
    .map((match) => {
      const [, indent = "", , body = ""] = match;
      const title =
        document
          .slice(0, match.index)
          .match(/^#+ .*$/gm)
          ?.at(-1) ?? "";
      return { title, text: body.replaceAll(new RegExp(`^${indent}`, "gm"), "") };
    });
}
