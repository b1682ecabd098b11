/**
 * A remembered reply as bytes, for stores outside the process: compact, versioned, signed where a secret is given, and
 * with a checksum where none is.
 *
 *     version 1 │ seal │ storedAt, freshUntil, staleUntil │ status │ lengths │ texts │ body │ HMAC-SHA256 or CRC-32
 *
 * Both cover the key as well, so that an entry cannot be moved to another key. What comes back is not trusted: bytes that
 * are cut off, changed, of another version, forged or out of their limits are a problem, never an exception.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import { isRememberable } from "./limits.ts";
import type { Remembered } from "./store.ts";

/** Why bytes are no entry, for the log. */
export interface Unreadable {
  readonly problem: string;
}

const VERSION = 1;
/** How an entry is sealed. 0 was not at all, in a time before this. */
const SIGNED = 1;
const SUMMED = 2;
/** Version, seal, three times, status, counts of headers, attributes and recipients, lengths of texts and body. */
const HEAD = 2 + 3 * 8 + 2 + 3 * 2 + 2 * 4;
const MAC = 32;
const SUM = 4;
const STALE_UNTIL = 18;

/** Stands between texts. No policy attribute and no header holds one; where a recipient does, it is replaced. */
const SEPARATOR = "\0";

/** Names that nearly every request has, written as one character each. The order is part of the format: append only. */
const NAMES: readonly string[] = [
  "request",
  "protocol_state",
  "protocol_name",
  "client_address",
  "client_name",
  "client_port",
  "reverse_client_name",
  "server_address",
  "server_port",
  "helo_name",
  "sender",
  "recipient",
  "recipient_count",
  "queue_id",
  "instance",
  "size",
  "etrn_domain",
  "stress",
  "sasl_method",
  "sasl_username",
  "sasl_sender",
  "ccert_subject",
  "ccert_issuer",
  "ccert_fingerprint",
  "ccert_pubkey_fingerprint",
  "encryption_protocol",
  "encryption_cipher",
  "encryption_keysize",
  "policy_context",
  "compatibility_level",
  "mail_version",
  "tls_sni",
];
/** Private use: no name begins with one, or else it is written behind `ESCAPE`. */
const FIRST_CODE = 0xe000;
const ESCAPE = "\ue0ff";
const CODES: ReadonlyMap<string, string> = new Map(
  NAMES.map((name, index) => [name, String.fromCharCode(FIRST_CODE + index)]),
);

/** The bytes of an entry. */
export function encode(key: string, entry: Remembered, secret?: string): Buffer {
  const { reply, asked } = entry;
  let texts = entry.service + SEPARATOR + asked.listener;
  for (const [name, value] of reply.headers) texts += SEPARATOR + name + SEPARATOR + value;
  for (const [name, value] of asked.attributes) {
    texts += SEPARATOR + (CODES.get(name) ?? escaped(name)) + SEPARATOR + value;
  }
  for (const recipient of asked.recipients) texts += SEPARATOR + recipient.replaceAll(SEPARATOR, "\ufffd");

  const textLength = Buffer.byteLength(texts);
  const end = HEAD + textLength + reply.body.length;
  const bytes = Buffer.allocUnsafe(end + (secret === undefined ? SUM : MAC));
  bytes[0] = VERSION;
  bytes[1] = secret === undefined ? SUMMED : SIGNED;
  bytes.writeDoubleLE(entry.storedAt, 2);
  bytes.writeDoubleLE(entry.freshUntil, 10);
  bytes.writeDoubleLE(entry.staleUntil, STALE_UNTIL);
  bytes.writeUInt16LE(reply.status, 26);
  bytes.writeUInt16LE(reply.headers.size, 28);
  bytes.writeUInt16LE(asked.attributes.size, 30);
  bytes.writeUInt16LE(asked.recipients.length, 32);
  bytes.writeUInt32LE(textLength, 34);
  bytes.writeUInt32LE(reply.body.length, 38);
  bytes.write(texts, HEAD, "utf8");
  reply.body.copy(bytes, HEAD + textLength);
  if (secret === undefined) bytes.writeUInt32LE(sum(key, bytes.subarray(0, end)), end);
  else sign(key, bytes.subarray(0, end), secret).copy(bytes, end);
  return bytes;
}

/**
 * The entry that stands in bytes under `key`. With a secret, an entry without a signature is none; without one,
 * signatures are not looked at.
 */
export function decode(key: string, bytes: Buffer, secret?: string): Remembered | Unreadable {
  if (bytes.length < HEAD) return { problem: "an entry is cut off" };
  if (bytes[0] !== VERSION) return { problem: "an entry is damaged, or another version wrote it" };
  const isSigned = bytes[1] === SIGNED;
  if (!isSigned && bytes[1] !== SUMMED) return { problem: "an entry has no checksum" };
  const textEnd = HEAD + bytes.readUInt32LE(34);
  const end = textEnd + bytes.readUInt32LE(38);
  if (end + (isSigned ? MAC : SUM) !== bytes.length) return { problem: "an entry is cut off or damaged" };
  if (secret !== undefined) {
    if (!isSigned) return { problem: "an entry is not signed, though cache.secret is set" };
    if (!timingSafeEqual(sign(key, bytes.subarray(0, end), secret), bytes.subarray(end, end + MAC))) {
      return { problem: "an entry's signature is wrong: it is forged, or signed with another cache.secret" };
    }
  } else if (!isSigned && sum(key, bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) {
    return { problem: "an entry is damaged: its checksum is wrong" };
  }
  const texts = bytes.toString("utf8", HEAD, textEnd).split(SEPARATOR);
  const headerCount = bytes.readUInt16LE(28);
  const attributeCount = bytes.readUInt16LE(30);
  const firstAttribute = 2 + 2 * headerCount;
  const firstRecipient = firstAttribute + 2 * attributeCount;
  if (texts.length !== firstRecipient + bytes.readUInt16LE(32)) return { problem: "an entry is damaged" };

  const headers = new Map<string, string>();
  for (let at = 2; at < firstAttribute; at += 2) headers.set(texts[at] as string, texts[at + 1] as string);
  const attributes = new Map<string, string>();
  for (let at = firstAttribute; at < firstRecipient; at += 2) {
    attributes.set(nameOf(texts[at] as string), texts[at + 1] as string);
  }
  const entry: Remembered = {
    service: texts[0] as string,
    // Copied: the bytes may be the store's own and change.
    reply: { status: bytes.readUInt16LE(26), headers, body: Buffer.from(bytes.subarray(textEnd, end)) },
    storedAt: bytes.readDoubleLE(2),
    freshUntil: bytes.readDoubleLE(10),
    staleUntil: bytes.readDoubleLE(STALE_UNTIL),
    asked: { attributes, listener: texts[1] as string, recipients: texts.slice(firstRecipient) },
  };
  return isRememberable(entry) ? entry : { problem: "an entry is damaged" };
}

/** When an entry's bytes say that it is to be deleted; they have not been checked. Undefined where they say nothing. */
export function staleUntilOf(bytes: Buffer): number | undefined {
  return bytes.length < HEAD || bytes[0] !== VERSION ? undefined : bytes.readDoubleLE(STALE_UNTIL);
}

function escaped(name: string): string {
  return name.charCodeAt(0) >= FIRST_CODE ? ESCAPE + name : name;
}

function nameOf(text: string): string {
  if (!(text.charCodeAt(0) >= FIRST_CODE)) return text;
  return text.startsWith(ESCAPE) ? text.slice(1) : (NAMES[text.charCodeAt(0) - FIRST_CODE] ?? text);
}

/** Against accidents only: whoever can write can make one. */
function sum(key: string, content: Buffer): number {
  return crc32(content, crc32(`${key.length}:${key}`));
}

function sign(key: string, content: Buffer, secret: string): Buffer {
  // The service's name is part of the content; the key's end must not be taken for its beginning.
  return createHmac("sha256", secret).update(`${key.length}:${key}`).update(content).digest();
}
