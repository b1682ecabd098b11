/**
 * A SOAP envelope, 1.1 or 1.2, opened: what is inside Body, and the Fault if it is one.
 *
 * Told by the namespaces, not by the prefixes. What is no envelope gives null.
 */
import { SOAP_NAMESPACES } from "./render/envelope.ts";
import { withoutEncoding } from "./soap-encoding.ts";
import { XML_LIMIT, type XmlElement, XmlError } from "./xml.ts";
import { trimXml, type XmlValue, xmlMembers, xmlTree } from "./xml-tree.ts";

const { "1.1": SOAP_11, "1.2": SOAP_12 } = SOAP_NAMESPACES;

/** A SOAP Fault (SOAP 1.1 §4.4, SOAP 1.2 part 1 §5.4), the same for both versions. */
export interface SoapFault {
  /** Without prefix: `Client`, `Sender`, … */
  readonly code: string;
  /** Without prefix; empty where there is none, as always in SOAP 1.1. */
  readonly subcode: string;
  /** The first text. */
  readonly reason: string;
  /** Null where there is none. */
  readonly detail: XmlValue;
}

export interface SoapBody {
  readonly body: Map<string, XmlValue>;
  readonly fault: SoapFault | null;
}

/** The Body element of an envelope; undefined if `root` is no SOAP envelope, or one without Body. */
export function envelopeBody(root: XmlElement): XmlElement | undefined {
  if (root.name !== "Envelope" || (root.namespace !== SOAP_11 && root.namespace !== SOAP_12))
    return undefined;
  return onlyChild(root, "Body", root.namespace);
}

/**
 * What is inside an envelope's Body, references of SOAP encoding resolved; null if `root` is no SOAP envelope, or one
 * without Body.
 *
 * @param limit of the document, in characters
 * @throws XmlError
 */
export function openEnvelope(root: XmlElement, limit = XML_LIMIT): SoapBody | null {
  const encoded = envelopeBody(root);
  if (encoded === undefined) return null;
  const body = withoutEncoding(root, encoded, limit);
  const fault = onlyChild(body, "Fault", root.namespace);
  return { body: xmlMembers(body.children), fault: fault === undefined ? null : faultOf(fault) };
}

function faultOf(fault: XmlElement): SoapFault {
  if (fault.namespace === SOAP_12) {
    const code = child(fault, "Code", SOAP_12);
    const subcode = code && child(code, "Subcode", SOAP_12);
    const reason = child(fault, "Reason", SOAP_12);
    return {
      code: withoutPrefix(text(code && child(code, "Value", SOAP_12))),
      subcode: withoutPrefix(text(subcode && child(subcode, "Value", SOAP_12))),
      reason: text(reason && child(reason, "Text", SOAP_12)),
      detail: tree(child(fault, "Detail", SOAP_12)),
    };
  }
  // SOAP 1.1 leaves these without a namespace; some services put them into the envelope's.
  const part = (name: string) => child(fault, name, "") ?? child(fault, name, SOAP_11);
  return {
    code: withoutPrefix(text(part("faultcode"))),
    subcode: "",
    reason: text(part("faultstring")),
    detail: tree(part("detail")),
  };
}

function child(element: XmlElement, name: string, namespace: string): XmlElement | undefined {
  return childrenNamed(element, name, namespace)[0];
}

function childrenNamed(element: XmlElement, name: string, namespace: string): readonly XmlElement[] {
  return element.children.filter(
    (item): item is XmlElement =>
      typeof item !== "string" && item.name === name && item.namespace === namespace,
  );
}

/**
 * Of the parts that say what the answer is there is one (SOAP 1.1 §4.3 and §4.4, SOAP 1.2 part 1 §5.3 and §5.4).
 *
 * @throws XmlError
 */
function onlyChild(element: XmlElement, name: string, namespace: string): XmlElement | undefined {
  const [only, other] = childrenNamed(element, name, namespace);
  if (other !== undefined) throw new XmlError(`there are several ${name} elements where SOAP has one`);
  return only;
}

function text(element: XmlElement | undefined): string {
  return trimXml(element?.children.filter((item) => typeof item === "string").join("") ?? "");
}

function tree(element: XmlElement | undefined): XmlValue {
  return element === undefined ? null : xmlTree(element);
}

function withoutPrefix(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}
