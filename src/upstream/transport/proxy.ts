/** An HTTP proxy between the bridge and a service, and what it says when it does not do what it is asked for. */
import type { SecureContext } from "node:tls";
import { ProxyError } from "./carrier.ts";
import { messageOf, ownTrouble } from "./errors.ts";

export interface HttpProxy {
  /** As it is shown, without credentials: `http://proxy.example.com:3128`. */
  readonly url: string;
  readonly hostname: string;
  readonly port: number;
  /** Null for a proxy that is spoken to in plain HTTP. */
  readonly tls: SecureContext | null;
  /** The value of Proxy-Authorization, for the proxy alone; undefined where there are no credentials. May change. */
  readonly authorization: () => string | undefined;
}

/** What a proxy that was not reached means; this machine's own trouble stays what it is. */
export function proxyFailure(proxy: HttpProxy, error: Error): Error {
  if (ownTrouble(error) !== null) return error;
  const code = String((error as NodeJS.ErrnoException).code ?? "");
  const why = UNREACHED[code] ?? `could not be reached: ${messageOf(error)}`;
  return new ProxyError(`the proxy ${proxy.url} ${why}${code === "" ? "" : ` (${code})`}`);
}

const UNREACHED: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection; is it running, and listening on that port?",
  ENOTFOUND: "has a name that does not exist; check the url of proxy, and DNS",
  ENODATA: "has a name without an address; check the url of proxy, and DNS",
  ECONNRESET: "reset the connection; does it speak http:// where https:// is said, or the other way round?",
  ETIMEDOUT: "did not take the connection in time; is a firewall dropping packets?",
  EHOSTUNREACH: "cannot be reached: there is no route to it",
  ENETUNREACH: "cannot be reached: there is no route to it",
  ERR_SSL_WRONG_VERSION_NUMBER: "does not speak TLS on that port; should its url begin with http://?",
  ERR_TLS_CERT_ALTNAME_INVALID: "has a certificate for another name; use a name that the certificate has",
  SELF_SIGNED_CERT_IN_CHAIN:
    "has a certificate of an unknown authority; set proxy.ca to that authority's (PEM)",
  DEPTH_ZERO_SELF_SIGNED_CERT: "has a certificate that is signed by itself; set proxy.ca to it (PEM)",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "has a certificate of an unknown authority; set proxy.ca to that authority's (PEM)",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "has a certificate of an unknown authority; set proxy.ca to that authority's (PEM)",
};

/**
 * What a proxy refused, by the reply that it gave itself.
 *
 * @param target host and port of the service
 * @param header gives the value of a header by its name
 */
export function refusalOf(
  proxy: HttpProxy,
  target: string,
  status: number,
  header: (name: string) => string | undefined,
): ProxyError {
  const said = header("x-squid-error") ?? /error=([\w-]+)/.exec(header("proxy-status") ?? "")?.[1];
  const suffix = said === undefined ? "" : ` (${messageOf(said)})`;
  return new ProxyError(`the proxy ${proxy.url} ${reasonOf(proxy, target, status, header)}${suffix}`);
}

function reasonOf(
  proxy: HttpProxy,
  target: string,
  status: number,
  header: (name: string) => string | undefined,
): string {
  switch (status) {
    // As tinyproxy says of a wrong password.
    case 401:
    case 407:
      return `${credentialsOf(proxy)} (${status})${offerOf(header("proxy-authenticate"))}`;
    case 403:
    case 405:
      return `does not allow connections to ${target} (${status}); allow them there (squid: http_access, SSL_ports; tinyproxy: ConnectPort, Filter)`;
    case 500:
    case 502:
    case 503:
      return `could not reach ${target} (${status}); is the service running, and does the proxy know its name?`;
    case 504:
      return `got no answer from ${target} in time (504); is the service running, and may the proxy reach it?`;
    default:
      return `answered with status ${status} when it was asked for ${target}; is it a proxy, and is its url right?`;
  }
}

function credentialsOf(proxy: HttpProxy): string {
  return proxy.authorization() === undefined
    ? "wants credentials; set proxy: { url: …, username: …, password: … }"
    : "does not accept these credentials; check username and password of proxy";
}

/** Of the schemes, Basic alone is spoken here. */
function offerOf(offered: string | undefined): string {
  if (offered === undefined || /\bbasic\b/i.test(offered)) return "";
  const schemes = [...new Set(offered.match(/\b(?:NTLM|Negotiate|Digest|Bearer)\b/gi) ?? [])].join(", ");
  return `; it offers ${schemes === "" ? "no scheme that is known" : schemes}, and only Basic is spoken here`;
}

/** Whether a reply to a call that a proxy passes on is the proxy's own word and not the service's. */
export function isProxysOwn(status: number, header: (name: string) => string | undefined): boolean {
  if (status === 407) return true;
  if (status < 400) return false;
  if (header("x-squid-error") !== undefined) return true;
  // RFC 9209 §2.1.1; tinyproxy names itself only in its own pages.
  return /error=/.test(header("proxy-status") ?? "") || /^tinyproxy\b/i.test(header("server") ?? "");
}
