/**
 * The demo's SOAP 1.1 interface: the operation `Check`, as the shipped mapping `soap` calls it.
 *
 * What is no such call is answered with a Fault (status 500, SOAP 1.1 §6.2), as a real service would.
 */
import { openEnvelope } from "../mapping/soap.ts";
import { parseXml, XmlError } from "../mapping/xml.ts";
import type { XmlValue } from "../mapping/xml-tree.ts";
import { answer } from "./permissions.ts";
import type { DemoReply } from "./reply.ts";

export const SOAP_PATH = "/soap";

const NAMESPACE = "urn:example:mail-authorization";

export function check(body: string): DemoReply {
  const question = questionIn(body);
  if (question === undefined) return fault("a Check in a SOAP 1.1 envelope is expected");
  const { permitted, reason } = answer({
    clientAddress: text(question.get("ClientAddress")),
    clientName: text(question.get("ClientName")),
    sender: text(question.get("Sender")),
  });
  const decision = permitted ? "Permit" : "Deny";
  return envelope(
    200,
    `<m:CheckResponse xmlns:m="${NAMESPACE}">` +
      `<m:Decision>${decision}</m:Decision><m:Reason>${escapeXml(reason)}</m:Reason></m:CheckResponse>`,
  );
}

function questionIn(body: string): ReadonlyMap<string, XmlValue> | undefined {
  try {
    const question = openEnvelope(parseXml(body))?.body.get("Check");
    return question instanceof Map ? question : undefined;
  } catch (error) {
    if (error instanceof XmlError) return undefined;
    throw error;
  }
}

function text(value: XmlValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function fault(reason: string): DemoReply {
  return envelope(
    500,
    `<soap:Fault><faultcode>soap:Client</faultcode><faultstring>${escapeXml(reason)}</faultstring></soap:Fault>`,
  );
}

function envelope(status: number, inside: string): DemoReply {
  const body =
    '<?xml version="1.0" encoding="UTF-8"?>' +
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">' +
    `<soap:Body>${inside}</soap:Body></soap:Envelope>`;
  return { status, contentType: "text/xml; charset=utf-8", body };
}

function escapeXml(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
