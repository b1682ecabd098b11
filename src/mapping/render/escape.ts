/**
 * Values made harmless for the places that they go to. Each function takes a value as text and gives what stands for it
 * there; a value that the place cannot hold throws `PlacementError`.
 */
import { percentEncode } from "../../text/percent.ts";

/** A value cannot be put where the mapping wants it. The message says why and what to do. */
export class PlacementError extends Error {}

/** Between the quotes of a JSON string (RFC 8259 §7). */
export function jsonStringText(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** In application/x-www-form-urlencoded (WHATWG URL §5.2), names and values. */
export function formEncode(value: string): string {
  return percentEncode(value).replaceAll("%20", "+");
}

/** XML 1.0 §2.2, production 2: everything else cannot be written in XML, not even as a reference. */
const NO_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** In the text of an XML element. CR is a reference, since a parser would read it as LF (XML 1.0 §2.11). */
export function xmlText(value: string): string {
  refuseInXml(value);
  return value.replace(/[&<>\r]/g, xmlReference);
}

/** In an XML attribute, in quotes of either kind. White space is references, since a parser would make it blanks (§3.3.3). */
export function xmlAttribute(value: string): string {
  refuseInXml(value);
  return value.replace(/[&<>"'\t\n\r]/g, xmlReference);
}

/** Whether a text holds only characters that XML can hold. */
export function fitsXml(text: string): boolean {
  return !NO_XML.test(text);
}

function refuseInXml(value: string): void {
  if (!fitsXml(value)) {
    throw new PlacementError(
      "a control character, or half a surrogate pair, has no place in XML; send it with urlencode()",
    );
  }
}

const NAMED: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

function xmlReference(character: string): string {
  return NAMED[character] ?? `&#${character.charCodeAt(0)};`;
}

/** In the value of an HTTP header (RFC 9110 §5.5), which is text until it is sent. */
export function headerText(value: string): string {
  if (/[\x00-\x1f\x7f]/.test(value)) {
    throw new PlacementError(
      "a line break or control character has no place in a header; send it with urlencode()",
    );
  }
  return value;
}

/** In a quoted string within a header, as SOAP's action is. */
export function quotedHeaderText(value: string): string {
  if (/["\\]/.test(value)) throw new PlacementError('a " or \\ has no place here');
  return headerText(value);
}
