/** When the certificates expire that a configuration names; looked at once in a while, and never on the way of a request. */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";

/** For so long what was seen is not looked at again, in milliseconds. */
const KEPT = 60_000;
const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
/** Of one file: a whole bundle of authorities has some hundred. */
const MOST = 1000;

const seen = new Map<string, { readonly at: number; readonly ends: number | undefined }>();

/**
 * When the certificate in a file expires, in seconds since 1970; of a bundle of authorities, the next one that is still
 * valid. Undefined where there is none that can be read: whoever uses the file says why.
 */
export async function expiryOf(file: string, kind: "client" | "ca"): Promise<number | undefined> {
  const now = Date.now();
  const known = seen.get(file);
  if (known !== undefined && now - known.at < KEPT) return known.ends;
  const ends = await readFile(file, "latin1").then(
    (text) => expiryIn(text, kind, now),
    () => undefined,
  );
  // A reload may have others.
  if (seen.size > MOST) seen.clear();
  seen.set(file, { at: now, ends });
  return ends;
}

/** The same of a text in PEM. */
export function expiryIn(pem: string, kind: "client" | "ca", now = Date.now()): number | undefined {
  // Before its own, a client's file has no other.
  const texts = (pem.match(PEM) ?? []).slice(0, kind === "client" ? 1 : MOST);
  const times = texts.flatMap((text) => endOf(text) ?? []).sort((a, b) => a - b);
  return times.find((time) => time * 1000 > now) ?? times.at(-1);
}

function endOf(text: string): number | undefined {
  try {
    const time = Date.parse(new X509Certificate(text).validTo);
    return Number.isNaN(time) ? undefined : time / 1000;
  } catch {
    return undefined;
  }
}
