/**
 * A remembered reply as a line of NDJSON, for `pfxbridge cache export` and `load`: readable, and signed like the bytes
 * in a store, whatever a tool has done to white space and order of the JSON in between. What was to be forgotten goes along,
 * a line for each: where they are loaded it is forgotten, too, whatever else is loaded there and when.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { encode, type Unreadable } from "./codec.ts";
import { isKey, isRememberable, MAX_ENTRY_SIZE } from "./limits.ts";
import type { Remembered, Revocation } from "./store.ts";
import { decodeRevocation, encodeRevocation } from "./stores/revocation-codec.ts";

/** A line, in characters: an entry whose body is Base64, and room. */
const MAX_LINE_LENGTH = 4 * MAX_ENTRY_SIZE;

// Kept as it is: a record of zod's would lose a member named __proto__.
const texts = z.custom<Record<string, string>>(
  (value) =>
    value !== null &&
    typeof value === "object" &&
    !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === "string"),
  "expected an object of strings",
);
const time = z.iso.datetime().transform((text) => Date.parse(text));
const schema = z.strictObject({
  version: z.literal(1),
  key: z.string().refine(isKey),
  service: z.string(),
  stored_at: time,
  fresh_until: time,
  stale_until: time,
  status: z.int(),
  headers: texts,
  body: z.string().optional(),
  body_base64: z.base64().optional(),
  attributes: texts,
  listener: z.string(),
  recipients: z.array(z.string()),
  mac: z.string().optional(),
});

/** One line, without a line break. */
export function toLine(key: string, entry: Remembered, secret?: string): string {
  const { reply, asked } = entry;
  const text = reply.body.toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(reply.body);
  return JSON.stringify({
    version: 1,
    key,
    service: entry.service,
    stored_at: new Date(entry.storedAt).toISOString(),
    fresh_until: new Date(entry.freshUntil).toISOString(),
    stale_until: new Date(entry.staleUntil).toISOString(),
    status: reply.status,
    headers: sorted(reply.headers),
    ...(isText ? { body: text } : { body_base64: reply.body.toString("base64") }),
    attributes: sorted(asked.attributes),
    listener: asked.listener,
    recipients: asked.recipients,
    ...(secret !== undefined && { mac: signatureOf(key, entry, secret) }),
  });
}

/** The entry of a line. With a secret, a line without a signature, or with a wrong one, is a problem. */
export function fromLine(
  line: string,
  secret?: string,
): { readonly key: string; readonly entry: Remembered } | Unreadable {
  if (line.length > MAX_LINE_LENGTH) return { problem: "the line is too long" };
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return { problem: "the line is no JSON" };
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { problem: `${issue?.path.join(".") || "the line"} is not as expected: ${issue?.message}` };
  }
  const { data } = parsed;
  const entry: Remembered = {
    service: data.service,
    reply: {
      status: data.status,
      headers: new Map(Object.entries(data.headers)),
      body: Buffer.from(data.body ?? data.body_base64 ?? "", data.body === undefined ? "base64" : "utf8"),
    },
    storedAt: data.stored_at,
    freshUntil: data.fresh_until,
    staleUntil: data.stale_until,
    asked: {
      attributes: new Map(Object.entries(data.attributes)),
      listener: data.listener,
      recipients: data.recipients,
    },
  };
  if (!isRememberable(entry)) return { problem: "its values are out of bounds" };
  if (secret !== undefined) {
    if (data.mac === undefined) return { problem: "it is not signed, though cache.secret is set" };
    const [given, expected] = [data.mac, signatureOf(data.key, entry, secret)].map(hash) as [Buffer, Buffer];
    if (!timingSafeEqual(given, expected)) {
      return { problem: "its signature is wrong: it is forged, or signed with another cache.secret" };
    }
  }
  return { key: data.key, entry };
}

const forgottenSchema = z.strictObject({
  version: z.literal(1),
  service: z.string(),
  forgotten_at: time,
  attributes: texts,
  mac: z.string().optional(),
});

/** One line, without a line break: that a service's decisions about some requests are revoked. */
export function toForgottenLine({ at, service, attributes }: OneService, secret?: string): string {
  const whole = { at: Math.ceil(at), service, attributes };
  return JSON.stringify({
    version: 1,
    service,
    forgotten_at: new Date(whole.at).toISOString(),
    attributes,
    ...(secret !== undefined && { mac: splitAtBlank(encodeRevocation(whole, secret))[0] }),
  });
}

/** The revocation of such a line; null where it is another line, of an entry. */
export function fromForgottenLine(line: string, secret?: string): OneService | Unreadable | null {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return null;
  }
  if (json === null || typeof json !== "object" || !("forgotten_at" in json)) return null;
  const parsed = forgottenSchema.safeParse(json);
  if (!parsed.success) return { problem: "what was to be forgotten is not as expected" };
  const { service, forgotten_at: at, attributes, mac = "" } = parsed.data;
  const revocation = { at, service, attributes };
  if (secret === undefined) return revocation;
  const [, text] = splitAtBlank(encodeRevocation(revocation, secret));
  const signed = decodeRevocation(`${mac} ${text}`, secret);
  return "problem" in signed ? signed : revocation;
}

type OneService = Revocation & { readonly service: string };

function splitAtBlank(text: string): [string, string] {
  const blank = text.indexOf(" ");
  return [text.slice(0, blank), text.slice(blank + 1)];
}

/** The signature of the entry's bytes, with what is a map in a fixed order and times in whole milliseconds. */
function signatureOf(key: string, entry: Remembered, secret: string): string {
  const { reply, asked } = entry;
  const canonical: Remembered = {
    ...entry,
    storedAt: Math.trunc(entry.storedAt),
    freshUntil: Math.trunc(entry.freshUntil),
    staleUntil: Math.trunc(entry.staleUntil),
    reply: { ...reply, headers: new Map(Object.entries(sorted(reply.headers))) },
    asked: { ...asked, attributes: new Map(Object.entries(sorted(asked.attributes))) },
  };
  return encode(key, canonical, secret).subarray(-32).toString("base64url");
}

function sorted(map: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
