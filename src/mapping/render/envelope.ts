/** The one place where a SOAP envelope is put together (SOAP 1.1 §4, SOAP 1.2 part 1 §5). */

export type SoapVersion = "1.1" | "1.2";

export const SOAP_NAMESPACES: Readonly<Record<SoapVersion, string>> = {
  "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
  "1.2": "http://www.w3.org/2003/05/soap-envelope",
};

const HEADER = ["<soap:Header>", "</soap:Header>"] as const;

function opening(version: SoapVersion): string {
  return `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${SOAP_NAMESPACES[version]}">`;
}

/**
 * An envelope around pieces of XML. Its prefix is `soap`, which the pieces may use, as in `soap:mustUnderstand="1"`.
 *
 * @param header the blocks inside Header; without any there is no Header
 */
export function envelope<Piece>(
  version: SoapVersion,
  header: readonly Piece[],
  body: readonly Piece[],
): (string | Piece)[] {
  const head = header.length === 0 ? [] : [HEADER[0], ...header, HEADER[1]];
  return [opening(version), ...head, "<soap:Body>", ...body, "</soap:Body></soap:Envelope>"];
}

/**
 * Makes the function that puts more blocks into the Header of such an envelope, once it is text.
 *
 * @param hasHeader whether there were any
 */
export function blockAdder(
  version: SoapVersion,
  hasHeader: boolean,
): (text: string, blocks: string) => string {
  const at = opening(version).length + (hasHeader ? HEADER[0].length : 0);
  const [open, close] = hasHeader ? ["", ""] : HEADER;
  return (text, blocks) => `${text.slice(0, at)}${open}${blocks}${close}${text.slice(at)}`;
}
