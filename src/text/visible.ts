/** Text for a terminal: what could move the cursor, change colours or turn the reading order is shown, not sent. */

const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * Replaces control characters by visible escapes.
 *
 * @example visible("a\x1b[31m") === "a\\x1b[31m"
 */
export function visible(text: string): string {
  return text.replace(UNSAFE, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}
