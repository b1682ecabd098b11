/** The one place where a SOAP envelope is put together (SOAP 1.1 §4, SOAP 1.2 part 1 §5). */

export type SoapVersion = "1.1" | "1.2";

export const SOAP_NAMESPACES: Readonly<Record<SoapVersion, string>> = {
  "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
  "1.2": "http://www.w3.org/2003/05/soap-envelope",
};

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
  const head = header.length === 0 ? [] : ["<soap:Header>", ...header, "</soap:Header>"];
  return [
    `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${SOAP_NAMESPACES[version]}">`,
    ...head,
    "<soap:Body>",
    ...body,
    "</soap:Body></soap:Envelope>",
  ];
}
