/** What a help desk has of a decision, read: a reference as it stands in the SMTP text, or the request_id of the log. */
import { isHostTag, REFERENCE_DIGITS } from "../model/reference.ts";

export interface Identity {
  /** The beginning of the request_id, in lower case, of eight digits at least. */
  readonly id: string;
  /** Of the host that made it, where the text says that. */
  readonly host: string | undefined;
}

const LONGEST = 80;
/** A UUID, or its beginning. */
const UUID =
  /^[0-9a-f]{8}(?:-|-[0-9a-f]{1,4}|-[0-9a-f]{4}-|(?:-[0-9a-f]{4}){1,2}-?[0-9a-f]{0,4}|(?:-[0-9a-f]{4}){3}-[0-9a-f]{0,12})?$/;
/** Without hyphens: it is looked for as it is written. */
const DIGITS = /^[0-9a-f]+$/;

/**
 * Null: it is neither.
 *
 * @example readIdentity("(ref mx1-1f3a9c2e)") // { id: "1f3a9c2e", host: "mx1" }
 */
export function readIdentity(text: string): Identity | null {
  if (text.length > LONGEST) return null;
  const plain = text
    .trim()
    .toLowerCase()
    .replace(/^\(?(?:ref\s+)?/, "")
    .replace(/\)$/, "");
  if (UUID.test(plain)) return { id: plain, host: undefined };
  const hyphen = plain.lastIndexOf("-");
  const host = plain.slice(0, hyphen);
  const id = plain.slice(hyphen + 1);
  if (hyphen === -1 || id.length !== REFERENCE_DIGITS || !DIGITS.test(id) || !isHostTag(host)) return null;
  return { id, host };
}

/** The beginning of the request_id that a text is about; null where it is none. */
export function withoutHost(text: string): string | null {
  return readIdentity(text)?.id ?? null;
}
