/**
 * What a service's TLS connections are made with: from the settings and the contents of the files that they name to
 * OpenSSL's context, or to words about what is wrong with them.
 *
 * Nothing is weaker than Node has it unless it is said: `legacy` brings security level 0 (SHA-1 signatures, short keys,
 * the ciphers of old) and services that do not know RFC 5746. A cipher that shows no certificate or encrypts nothing is
 * never among them.
 */
import { constants } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { messageOf } from "./errors.ts";

/** Oldest first. */
export const TLS_VERSIONS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;
type TlsVersion = (typeof TLS_VERSIONS)[number];

export interface TlsOptions {
  /** Files, PEM. Without `ca`, the authorities that Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** A file that holds certificate and key, PKCS#12; authorities in it are trusted as well. */
  readonly pkcs12?: string;
  /** Of `key` or `pkcs12`; may change. */
  readonly passphrase?: { reveal(): string };
  /** Default: TLSv1.2. */
  readonly minVersion?: TlsVersion;
  /** As OpenSSL writes them; those of TLS 1.3 too. */
  readonly ciphers?: string;
  /** Whether what is known to be weak may be used. */
  readonly legacy?: boolean;
  /** The name to ask for and to find in the certificate, if it isn't the URL's. */
  readonly serverName?: string;
  /** Milliseconds between two looks at the files. Default: 3 seconds. */
  readonly checkEvery?: number;
}

export const TLS_FILES = ["ca", "cert", "key", "pkcs12"] as const;

/** What stands in the files. */
export type TlsContents = Partial<Record<(typeof TLS_FILES)[number], Buffer>>;

/** @throws Error that says what is wrong, and with what */
export function secureContextOf(options: TlsOptions, { ca, cert, key, pkcs12 }: TlsContents): SecureContext {
  // OpenSSL takes a file without a certificate as an empty list, with which no service could be verified.
  if (ca !== undefined && !ca.includes("-----BEGIN")) throw new Error("tls.ca holds no certificate in PEM");
  const passphrase = options.passphrase?.reveal();
  try {
    return createSecureContext({
      minVersion: options.minVersion ?? "TLSv1.2",
      ...cipherOptions(options),
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(pkcs12 && { pfx: pkcs12 }),
      ...((key || pkcs12) && passphrase !== undefined && { passphrase }),
    });
  } catch (error) {
    const why = problemWith(error, options);
    throw why === undefined ? error : Object.assign(new Error(why), { cause: error });
  }
}

function cipherOptions({ ciphers, legacy }: TlsOptions): { ciphers?: string; secureOptions?: number } {
  if (!legacy) return ciphers === undefined ? {} : { ciphers: guarded(ciphers) };
  return {
    ciphers: guarded(`${ciphers ?? "ALL"}:@SECLEVEL=0`),
    // RFC 5746 is of 2010: what does not know it is refused by OpenSSL 3 unless this is said.
    secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
  };
}

/** Without the ciphers that are none. The suites of TLS 1.3 stand for themselves. */
function guarded(ciphers: string): string {
  const only13 = ciphers.split(":").every((name) => name.startsWith("TLS_"));
  return only13 ? ciphers : `${ciphers}:!aNULL:!eNULL`;
}

/** OpenSSL's words, which name neither file nor remedy; undefined for those that do not come from the settings. */
function problemWith(error: unknown, { pkcs12, passphrase }: TlsOptions): string | undefined {
  const text = messageOf(error);
  const code = String((error as { code?: unknown }).code ?? "");
  if (code === "ERR_SSL_NO_CIPHER_MATCH") {
    return "tls.ciphers names no cipher that this program's OpenSSL knows (`openssl ciphers` shows how they are written)";
  }
  if (/_(EE_KEY_TOO_SMALL|CA_KEY_TOO_SMALL|CA_MD_TOO_WEAK)$/.test(code)) {
    return "the certificate's key or signature is too weak for OpenSSL; have it issued anew, or set tls.legacy: true";
  }
  if (pkcs12 !== undefined) {
    if (/mac verify failure/i.test(text)) {
      return passphrase === undefined
        ? "tls.pkcs12 needs a passphrase: set tls.passphrase"
        : "tls.passphrase is not the one of tls.pkcs12";
    }
    if (/Unsupported PKCS12|unsupported/i.test(text)) {
      return "tls.pkcs12 is encrypted in a way that OpenSSL 3 refuses (RC2, as older tools write it); write it anew: openssl pkcs12 -legacy -in OLD.p12 -nodes -out ALL.pem && openssl pkcs12 -export -in ALL.pem -out NEW.p12 && rm ALL.pem";
    }
    if (/Unable to load private key/i.test(text)) return "tls.pkcs12 holds no private key";
    if (/Unable to load certificate/i.test(text)) return "tls.pkcs12 holds no certificate";
    if (/not enough data|wrong tag|header too long|too long|nested asn1/i.test(text)) {
      return "tls.pkcs12 is no PKCS#12 file (.p12, .pfx); a file in PEM belongs into tls.cert and tls.key";
    }
    return `tls.pkcs12 cannot be used: ${text}`;
  }
  if (/bad decrypt|MISSING_PASSPHRASE|password/i.test(`${text} ${code}`)) {
    return passphrase === undefined
      ? "the private key in tls.key is encrypted: set tls.passphrase"
      : "tls.passphrase is not the one of the private key in tls.key";
  }
  if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH") {
    return "mismatch: the private key in tls.key is not that of the certificate in tls.cert";
  }
  if (code === "ERR_OSSL_EVP_UNSUPPORTED") {
    return "the private key in tls.key is encrypted in a way that OpenSSL 3 refuses (RC2 or DES); write it anew: openssl pkcs8 -topk8 -provider legacy -provider default -in OLD.key -out NEW.key";
  }
  if (code === "ERR_OSSL_UNSUPPORTED") return "tls.key holds no private key in PEM";
  if (code === "ERR_OSSL_PEM_NO_START_LINE") return "tls.cert holds no certificate in PEM";
  return undefined;
}
