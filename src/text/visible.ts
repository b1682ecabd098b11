/** Text for a terminal: what is not fit for one is shown, not sent. */
import { EACH_UNSAFE } from "./unsafe.ts";

/**
 * Replaces unsafe characters by visible escapes.
 *
 * @example visible("a\x1b[31m") === "a\\x1b[31m"
 */
export function visible(text: string): string {
  return text.replace(EACH_UNSAFE, (character) => {
    const hex = character.codePointAt(0)!.toString(16);
    if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
    return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\u{${hex}}`;
  });
}
