/** The private key by which a client shows who it is (RFC 7523): out of a PEM text, for the algorithm it is meant for. */
import {
  createHash,
  createPrivateKey,
  type KeyObject,
  subtle,
  type webcrypto,
  X509Certificate,
} from "node:crypto";

/** The algorithms of RFC 7518 and 8037 that authorization servers take. */
export const KEY_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;

export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

const CURVES: Readonly<Record<string, readonly [KeyAlgorithm, string]>> = {
  prime256v1: ["ES256", "P-256"],
  secp384r1: ["ES384", "P-384"],
  secp521r1: ["ES512", "P-521"],
};
const SMALLEST_RSA = 2048;

/**
 * What is wrong with a key; undefined where it can be used.
 *
 * @param algorithm as asked for; left out: the usual one for the key
 */
export function keyProblem(pem: string, passphrase?: string, algorithm?: KeyAlgorithm): string | undefined {
  const key = keyOf(pem, passphrase);
  if (typeof key === "string") return key;
  const usable = algorithmOf(key, algorithm);
  return "problem" in usable ? usable.problem : undefined;
}

/** @throws Error that says what is wrong with it, as `keyProblem` does */
export async function importKey(
  pem: string,
  passphrase?: string,
  algorithm?: KeyAlgorithm,
): Promise<webcrypto.CryptoKey> {
  const key = keyOf(pem, passphrase);
  if (typeof key === "string") throw new Error(key);
  const usable = algorithmOf(key, algorithm);
  if ("problem" in usable) throw new Error(usable.problem);
  const der = key.export({ type: "pkcs8", format: "der" });
  return subtle.importKey("pkcs8", der, usable.parameters, false, ["sign"]);
}

/** Of a certificate, as JOSE headers name it (RFC 7515 §4.1.7, §4.1.8). */
export interface Thumbprints {
  readonly x5t: string;
  readonly "x5t#S256": string;
}

/** Those of the first certificate in a PEM text; or why they are of no use with the key. */
export function thumbprintsOf(
  pem: string,
  key: string,
  passphrase?: string,
): Thumbprints | { readonly problem: string } {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    return { problem: "there is no certificate in it; expected PEM, -----BEGIN CERTIFICATE-----" };
  }
  const own = keyOf(key, passphrase);
  if (typeof own === "string") return { problem: own };
  if (!certificate.checkPrivateKey(own)) {
    return { problem: "the certificate is that of another key than private_key" };
  }
  const digest = (hash: string) => createHash(hash).update(certificate.raw).digest("base64url");
  return { x5t: digest("sha1"), "x5t#S256": digest("sha256") };
}

function keyOf(pem: string, passphrase: string | undefined): KeyObject | string {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    const what = /-----BEGIN ([A-Z ]{1,30})-----/.exec(pem)?.[1];
    return `there is no private key in it${what === undefined ? "" : `, but a ${what.toLowerCase()}`}; expected PEM, -----BEGIN PRIVATE KEY-----`;
  }
  const isEncrypted = /BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(pem);
  if (isEncrypted && passphrase === undefined) return "the private key is encrypted; set passphrase";
  try {
    return createPrivateKey({ key: pem, ...(isEncrypted && { passphrase }) });
  } catch {
    return isEncrypted
      ? "the private key cannot be decrypted: is the passphrase another one?"
      : "the private key cannot be read: is the file cut off, or of another format than PEM?";
  }
}

type Usable = { readonly parameters: Parameters<typeof subtle.importKey>[2] } | { readonly problem: string };

function algorithmOf(key: KeyObject, asked: KeyAlgorithm | undefined): Usable {
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "rsa": {
      if (modulusLength < SMALLEST_RSA) {
        return { problem: `the RSA key has ${modulusLength} bits; ${SMALLEST_RSA} are needed (RFC 7518)` };
      }
      const name = asked ?? "RS256";
      if (!/^[RP]S/.test(name)) return wrongType(name, "RSA");
      const scheme = name.startsWith("R") ? "RSASSA-PKCS1-v1_5" : "RSA-PSS";
      return { parameters: { name: scheme, hash: `SHA-${name.slice(2)}` } };
    }
    case "ec": {
      const curve = CURVES[namedCurve];
      if (curve === undefined)
        return { problem: `keys on the curve ${namedCurve} cannot be used; P-256 can` };
      if (asked !== undefined && asked !== curve[0]) return wrongType(asked, `EC ${curve[1]}`);
      return { parameters: { name: "ECDSA", namedCurve: curve[1] } };
    }
    case "ed25519":
      if (asked !== undefined && asked !== "EdDSA") return wrongType(asked, "Ed25519");
      return { parameters: { name: "Ed25519" } };
    default:
      return {
        problem: `a key of type ${key.asymmetricKeyType} cannot be used; expected RSA, EC (P-256, P-384, P-521) or Ed25519`,
      };
  }
}

function wrongType(asked: string, type: string): Usable {
  const needs = asked.startsWith("E") ? (asked === "EdDSA" ? "an Ed25519" : "an EC") : "an RSA";
  return { problem: `algorithm ${asked} needs ${needs} key, and this is one of ${type}` };
}
