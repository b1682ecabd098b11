/**
 * A revocation as text, for stores outside the process: a signature or `-`, a space, and JSON. Where a secret is given,
 * one without the right signature is none: strangers who can write to the store cannot make the bridge forget.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Unreadable } from "../codec.ts";
import type { Revocation } from "../store.ts";

/** Of a revocation as text, in characters. */
export const MAX_REVOCATION = 64 * 1024;
const UNSIGNED = "-";

const schema = z.object({
  at: z.number().min(0),
  service: z.string().optional(),
  attributes: z.record(z.string(), z.string()),
});

export function encodeRevocation(revocation: Revocation, secret?: string): string {
  const json = textOf(revocation);
  return `${secret === undefined ? UNSIGNED : signatureOf(json, secret)} ${json}`;
}

/** What a revocation says, the same text for the same. */
export function textOf({ at, service, attributes }: Revocation): string {
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({ at, service, attributes: Object.fromEntries(sorted) });
}

export function decodeRevocation(text: string, secret?: string): Revocation | Unreadable {
  const space = text.indexOf(" ");
  if (space < 0 || text.length > MAX_REVOCATION) return { problem: "a revocation is damaged" };
  const json = text.slice(space + 1);
  if (secret !== undefined) {
    const [given, expected] = [text.slice(0, space), signatureOf(json, secret)].map(hash) as [Buffer, Buffer];
    if (!timingSafeEqual(given, expected)) return { problem: "a revocation's signature is missing or wrong" };
  }
  try {
    const { at, service, attributes } = schema.parse(JSON.parse(json));
    return { at, attributes, ...(service !== undefined && { service }) };
  } catch {
    return { problem: "a revocation is damaged" };
  }
}

function signatureOf(json: string, secret: string): string {
  return createHmac("sha256", secret).update("revocation\0").update(json).digest("base64url");
}

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
