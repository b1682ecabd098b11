/** Values as identifiers, for services whose ids hold no more than letters and digits (SpiceDB's hold no `@` and no `.`). */

/**
 * Letters of ASCII, digits, `-` and `_` stay, every other byte of UTF-8 becomes `=XX`. No two values have one identifier,
 * and none is `*`. Half a surrogate pair, which UTF-8 cannot hold, becomes U+FFFD.
 *
 * @example
 * identifierOf("alice@example.com") // "alice=40example=2Ecom"
 */
export function identifierOf(value: string): string {
  if (/^[A-Za-z0-9_-]*$/.test(value)) return value;
  let identifier = "";
  for (const byte of Buffer.from(value)) {
    const character = String.fromCharCode(byte);
    identifier += /[A-Za-z0-9_-]/.test(character)
      ? character
      : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return identifier;
}
