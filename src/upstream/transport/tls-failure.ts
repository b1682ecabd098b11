/**
 * Why TLS failed, in words: what was wanted and which setting has to do with it, in place of OpenSSL's names and numbers.
 */

/** The settings that a message speaks of. */
export interface TlsTerms {
  readonly minVersion: string;
  readonly legacy: boolean;
  /** Where the client certificate is from, `tls.cert` say; null where none is shown. */
  readonly certificate: string | null;
}

const CHECK_CERTIFICATE = "check tls.cert and tls.key, or tls.pkcs12";
const OLD = "tls.min_version: TLSv1 with tls.legacy: true, which weakens the connection";

/** By OpenSSL's reason, without the version in front of it, which differs from one OpenSSL to the next. */
const REASONS: Readonly<Record<string, (terms: TlsTerms) => string>> = {
  WRONG_VERSION_NUMBER: () => "it does not speak TLS on that port; should its url begin with http://?",
  HTTP_REQUEST: () => "it does not speak TLS on that port; should its url begin with http://?",
  PACKET_LENGTH_TOO_LONG: () => "it does not speak TLS on that port; should its url begin with http://?",
  PROTOCOL_VERSION: versionRefused,
  UNSUPPORTED_PROTOCOL: versionRefused,
  WRONG_SSL_VERSION: versionRefused,
  VERSION_TOO_LOW: versionRefused,
  HANDSHAKE_FAILURE: ({ certificate, legacy }) =>
    `it refused the TLS handshake: ${certificate === null ? "if it demands a" : "perhaps it does not take the"} client certificate, ${CHECK_CERTIFICATE}; else it has no cipher that is asked for, see tls.ciphers${legacy ? "" : " and tls.legacy"}`,
  INSUFFICIENT_SECURITY: () => "it wants stronger ciphers than are asked for; see tls.ciphers",
  NO_SHARED_CIPHER: () => "it has no cipher that is asked for; see tls.ciphers",
  NO_CIPHERS_AVAILABLE: ({ minVersion }) =>
    `none of tls.ciphers can be used with ${minVersion} or later; see tls.ciphers and tls.min_version`,
  CERTIFICATE_REQUIRED: () => `it demands a client certificate; ${CHECK_CERTIFICATE}`,
  BAD_CERTIFICATE: refusedCertificate("it may be another one than it expects"),
  UNSUPPORTED_CERTIFICATE: refusedCertificate(
    "it is not of a kind for clients (extendedKeyUsage clientAuth)",
  ),
  CERTIFICATE_UNKNOWN: refusedCertificate("it is not the one that it expects, or not acceptable to it"),
  CERTIFICATE_EXPIRED: refusedCertificate(
    "it has expired there; renew it, and check the clocks of both machines",
  ),
  CERTIFICATE_REVOKED: refusedCertificate("it has been revoked"),
  ACCESS_DENIED: refusedCertificate("it is valid, and has no access"),
  UNKNOWN_CA: ({ certificate }) =>
    `it does not know the authority that signed the certificate in ${certificate ?? "tls.cert"}`,
  DECRYPT_ERROR: refusedCertificate("its signature cannot be verified there"),
  UNRECOGNIZED_NAME: () =>
    "it has no host of that name; check the host in url, or set tls.server_name to the one it has",
  NO_APPLICATION_PROTOCOL: () => "it speaks neither HTTP/1.1 nor what else was offered (ALPN) on that port",
  UNSAFE_LEGACY_RENEGOTIATION_DISABLED: tooWeak("it does not know secure renegotiation (RFC 5746)"),
  LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED: tooWeak("it signs with SHA-1 or MD5"),
  WRONG_SIGNATURE_TYPE: tooWeak("it signs in a way that is not accepted here"),
  DH_KEY_TOO_SMALL: tooWeak("its Diffie-Hellman key is too short"),
  EE_KEY_TOO_SMALL: tooWeak("its certificate's key is too short"),
  CA_KEY_TOO_SMALL: tooWeak("its authority's key is too short"),
  CA_MD_TOO_WEAK: tooWeak("its certificate is signed with SHA-1 or MD5"),
  BAD_ECPOINT: tooWeak("it wants an elliptic curve that is not accepted here"),
};

/** What the verification of a certificate says instead of a code. */
const TEXTS: readonly (readonly [RegExp, string])[] = [
  [/^(EE|CA) certificate key too weak$/, "EE_KEY_TOO_SMALL"],
  [/^CA signature digest algorithm too weak$/, "CA_MD_TOO_WEAK"],
];

/** What an error of TLS means; undefined where it is none, or an unknown one. */
export function tlsFailure(code: string, error: unknown, terms: TlsTerms): string | undefined {
  const { message = "", reason = "" } = (error ?? {}) as { message?: string; reason?: string };
  const known =
    TEXTS.find(([text]) => text.test(message))?.[1] ??
    (code.startsWith("ERR_SSL_")
      ? code.replace(/^ERR_SSL_((SSLV3|TLSV1|TLSV13|SSL\/TLS|TLS|SSL)_)?(ALERT_)?/, "")
      : "");
  if (Object.hasOwn(REASONS, known)) return `${REASONS[known]!(terms)} (${code})`;
  return code.startsWith("ERR_SSL_") && reason !== "" ? `TLS failed: ${reason} (${code})` : undefined;
}

function versionRefused({ minVersion }: TlsTerms): string {
  const remedy = {
    "TLSv1.3": "renew it, or set tls.min_version: TLSv1.2",
    "TLSv1.2": `renew it, or set ${OLD}`,
    "TLSv1.1": `renew it, or set ${OLD}`,
  }[minVersion];
  return `it speaks no version of TLS that is asked for, ${minVersion} or later; ${remedy ?? "it has to be renewed"}`;
}

function refusedCertificate(why: string): (terms: TlsTerms) => string {
  return ({ certificate }) =>
    certificate === null
      ? `it refused the handshake as it does without a client certificate, ${CHECK_CERTIFICATE}`
      : `it refused the client certificate in ${certificate}: ${why}`;
}

function tooWeak(what: string): (terms: TlsTerms) => string {
  return ({ legacy }) =>
    `${what}, too weak for OpenSSL here; have it mended there${legacy ? "" : ", or set tls.legacy: true, which weakens the connection"}`;
}
