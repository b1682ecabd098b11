/**
 * The demo's AuthZEN interface: `POST /access/v1/evaluation` of the OpenID Authorization API 1.0.
 *
 * Reads what the shipped mapping `authzen` asks. A body that is no evaluation request is answered with 400.
 */
import { answer } from "./permissions.ts";
import type { DemoReply } from "./reply.ts";

export const EVALUATION_PATH = "/access/v1/evaluation";

export function evaluate(body: string): DemoReply {
  const subject = member(parse(body), "subject");
  const properties = member(subject, "properties");
  if (typeof member(subject, "id") !== "string" || typeof properties !== "object") {
    return json(400, { error: "subject.id and subject.properties are required" });
  }
  const { permitted, reason } = answer({
    clientAddress: text(member(properties, "client_address")),
    clientName: text(member(properties, "client_name")),
    sender: text(member(properties, "sender")),
  });
  return json(
    200,
    permitted ? { decision: true } : { decision: false, context: { reason_user: { en: reason } } },
  );
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function json(status: number, value: unknown): DemoReply {
  return { status, contentType: "application/json", body: JSON.stringify(value) };
}
