/** Pieces of a file as they may stand in a message: short, on one line, nothing unsafe, no secrets. */

import { visible } from "./visible.ts";

const MAX_EXCERPT = 70;

/** `text` for a message: control characters as escapes, cut where it is long. */
export function excerpt(text: string): string {
  const cut = text.length > MAX_EXCERPT ? `${text.slice(0, MAX_EXCERPT)}…` : text;
  return visible(cut);
}

/** Whether the value of a key, or header, of this name may be a secret, which no message shows. */
export function namesSecret(key: string): boolean {
  return /auth|basic|bearer|cookie|credential|key|pass|secret|token/i.test(key);
}

/** What follows `offset` on its line. */
export function restOfLine(text: string, offset: number): string {
  return /[^\r\n]*/.exec(text.slice(offset))?.[0] ?? "";
}

/**
 * The value from `offset` to the end of its line as it ought to be written, for the end of a message:
 * `: '!a && b'`. Nothing when it is too long to show, or when its key says that it is a secret.
 */
export function valueInQuotes(text: string, offset: number): string {
  const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
  const value = restOfLine(text.slice(0, offset + 2 * MAX_EXCERPT), offset).trim();
  const showable = value.length > 0 && value.length <= MAX_EXCERPT && excerpt(value) === value;
  return showable && !namesSecret(text.slice(lineStart, offset)) ? `: '${value.replaceAll("'", "''")}'` : "";
}
