/** Replies for tests, as the client hands them on. */
import type { UpstreamReply } from "../../src/model/exchange.ts";

export function reply(
  status: number,
  body: string | Buffer = "",
  headers: Record<string, string> = {},
): UpstreamReply {
  return { status, headers: new Map(Object.entries(headers)), body: Buffer.from(body) };
}

export function json(status: number, value: unknown): UpstreamReply {
  return reply(status, JSON.stringify(value), { "content-type": "application/json" });
}

export function xml(status: number, text: string): UpstreamReply {
  return reply(status, text, { "content-type": "text/xml; charset=utf-8" });
}

export function soap(status: number, body: string, version: "1.1" | "1.2" = "1.1"): UpstreamReply {
  const namespace = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
  };
  return xml(status, `<s:Envelope xmlns:s="${namespace[version]}"><s:Body>${body}</s:Body></s:Envelope>`);
}
