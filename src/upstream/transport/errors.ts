/**
 * From what undici, Node and OpenSSL throw to a failure that an administrator can act on.
 *
 * Text that comes from the other side (the names in a certificate) is shortened and freed of control characters.
 */

import type { Cause, Failure } from "../../model/failure.ts";
import { MalformedReply, ProxyError } from "./carrier.ts";
import { type TlsTerms, tlsFailure } from "./tls-failure.ts";

/** How far an attempt had come when it failed. */
export interface Progress {
  /** The service's URL, as it is named in the log: `https://authz.example.com`. */
  readonly url: string;
  readonly hostname: string;
  /** Whether anything of a reply has come. */
  readonly replyBegun: boolean;
  /** The reply's status, 0 before it has come. */
  readonly status: number;
  /** Bytes of the body so far. */
  readonly received: number;
  /** Null for plain HTTP. */
  readonly tls: TlsTerms | null;
}

const DNS_SILENT = "the name server did not answer or is broken; check DNS (/etc/resolv.conf)";
const TRUST =
  "its certificate is not signed by an authority that is trusted here; set tls.ca to that authority's certificate (PEM)";
const PERHAPS_CERTIFICATE = "; if it demands a client certificate, check tls.cert and tls.key, or tls.pkcs12";
const NO_ROUTE = "there is no route to it; check its address and this machine's network";

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "it refused the connection; is the service running, and listening on that port?",
  ENOENT: "there is no such socket file; is the service running, and is the path in url right?",
  EACCES: "this user may not connect to it; check the rights of the socket file and of its folder",
  ENODATA: "its name has no address; check the service's url and DNS",
  EAI_AGAIN: `its name could not be resolved: ${DNS_SILENT}`,
  ETIMEOUT: `its name could not be resolved: ${DNS_SILENT}`,
  ESERVFAIL: `its name could not be resolved: ${DNS_SILENT}`,
  EREFUSED: `its name could not be resolved: ${DNS_SILENT}`,
  ENETUNREACH: NO_ROUTE,
  EHOSTUNREACH: NO_ROUTE,
  ETIMEDOUT: "the connection timed out; is a firewall dropping packets?",
  UND_ERR_DESTROYED:
    "the connection that it shared with another call was ended because of that one, which got no reply in time or an unusable one",
  CERT_HAS_EXPIRED: "its certificate has expired; it must be renewed there",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; check the clocks of both machines",
  CERT_REVOKED: "its certificate has been revoked; it must be replaced there",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: TRUST,
  UNABLE_TO_GET_ISSUER_CERT: TRUST,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TRUST,
  SELF_SIGNED_CERT_IN_CHAIN: TRUST,
  CERT_UNTRUSTED: TRUST,
  DEPTH_ZERO_SELF_SIGNED_CERT:
    "its certificate is signed by itself and not trusted here; if it is the right one, set tls.ca to it (PEM)",
  INVALID_PURPOSE:
    "its certificate is not one for servers (extendedKeyUsage serverAuth); it must be replaced there",
  INVALID_CA: "its certificate is signed by one that is no authority's; it must be replaced there",
  CERT_CHAIN_TOO_LONG: "the chain of its certificate is too long; it must be replaced there",
  CERT_SIGNATURE_FAILURE: "its certificate is damaged or forged; it must be replaced there",
  ERR_HTTP2_ERROR:
    "it broke the rules of HTTP/2; if it speaks HTTP/1.1 only, take http2: true out of the configuration",
};

const NO_MEMORY = "this machine has no memory left for it; see what takes it, or add some";
const NO_PORTS =
  "this machine has no local port left for another connection; widen net.ipv4.ip_local_port_range, or lower max_in_flight";

/** What this machine or this process lacks, which no service is to blame for. */
const OWN: Readonly<Record<string, string>> = {
  EMFILE: "this process has too many files open; raise its limit (LimitNOFILE, ulimit -n)",
  ENFILE: "this machine has too many files open; raise fs.file-max",
  ENOMEM: NO_MEMORY,
  EAI_MEMORY: NO_MEMORY,
  Z_MEM_ERROR: NO_MEMORY,
  ERR_MEMORY_ALLOCATION_FAILED: NO_MEMORY,
  ENOBUFS: "this machine has no room left in its network buffers; see net.core and net.ipv4.tcp_mem",
  EADDRNOTAVAIL: NO_PORTS,
  EAGAIN: "this machine has no resources left for it (threads, ports or memory); see ulimit -u and its load",
};

/** What went wrong where it was the bridge's own trouble, and what to do about it; null where it was not. */
export function ownTrouble(error: unknown): string | null {
  const code = codeOf(error);
  if (Object.hasOwn(OWN, code)) return `${OWN[code]} (${code})`;
  return /MALLOC_FAILURE$/.test(code) ? `${NO_MEMORY} (${code})` : null;
}

/** The failure that an error of the transport means. */
export function failureOf(error: unknown, progress: Progress): Failure {
  const own = ownTrouble(error);
  if (own !== null) {
    const detail = `${progress.url} could not be asked: ${own}`;
    return { cause: "overload", detail, blameless: true };
  }
  if (error instanceof ProxyError) return failure("unreachable", `${progress.url}: ${error.message}`);
  const code = codeOf(error);
  if (code === "UND_ERR_INVALID_ARG" || code === "UND_ERR_NOT_SUPPORTED") {
    return failure("mapping_error", `the call cannot be sent: ${messageOf(error)}`);
  }
  if (error instanceof Error && error.name === "HTTPParserError") {
    const why = messageOf(error).replace(/^Response does not match the HTTP\/1.1 protocol /, "");
    return failure("bad_reply", `${progress.url}: the reply is not HTTP/1.1 ${why}; check scheme and port`);
  }
  if (code === "UND_ERR_HEADERS_OVERFLOW") {
    return failure("bad_reply", `${progress.url}: the reply's headers are too large`);
  }
  if (error instanceof MalformedReply) {
    return failure("bad_reply", `${progress.url}: the reply is unusable: ${messageOf(error)}`);
  }
  const closed = code === "UND_ERR_SOCKET" || code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH";
  if (closed && progress.replyBegun) {
    return failure("bad_reply", `${progress.url}: the reply ${flawOf(error, code, progress)}`);
  }
  return failure("unreachable", `${progress.url}: ${reasonOf(error, code, progress)}`);
}

/** What is wrong with a reply that ended the connection, or ended with it. */
function flawOf(error: unknown, code: string, progress: Progress): string {
  if (progress.status > 0) return `was cut off after ${progress.received} bytes`;
  if (code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH") {
    return "says its length twice: it has several Content-Length, or one beside Transfer-Encoding, or its header is broken";
  }
  if (messageOf(error) === "bad upgrade") return "changes to another protocol, which nobody asked for";
  return "was cut off in its header";
}

function reasonOf(error: unknown, code: string, progress: Progress): string {
  const perhaps = progress.url.startsWith("https:") ? PERHAPS_CERTIFICATE : "";
  const known = UNREACHABLE[code];
  if (known !== undefined) return `${known} (${code})`;
  const insecure = progress.tls === null ? undefined : tlsFailure(code, error, progress.tls);
  if (insecure !== undefined) return insecure;
  switch (code) {
    case "ENOTFOUND":
      return `the name ${progress.hostname} does not exist; check the service's url and DNS (${code})`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `its certificate is not for this name (${messageOf(error)}); use a url with a name that the certificate has, or set tls.server_name to it`;
    case "UND_ERR_SOCKET":
      return `it closed the connection without a reply${perhaps}`;
    case "ECONNRESET":
    case "EPIPE":
      return progress.status > 0
        ? `it reset the connection in the middle of the reply, after ${progress.received} bytes (${code})`
        : `it reset the connection before it replied (${code})${perhaps}`;
    default:
      return code === "" ? messageOf(error) : `${messageOf(error)} (${code})`;
  }
}

/** Whether it was this process that ended the connection. */
export function isDestroyed(error: unknown): boolean {
  return codeOf(error) === "UND_ERR_DESTROYED";
}

/** Whether it was TLS that went wrong, as OpenSSL says. */
export function isTlsError(error: unknown): boolean {
  return codeOf(error).startsWith("ERR_SSL_");
}

/** The message of something thrown, fit for one line of a log. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

function failure(cause: Cause, detail: string): Failure {
  return { cause, detail };
}
