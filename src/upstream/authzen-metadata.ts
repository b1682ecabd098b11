/**
 * What an AuthZEN decision point publishes of itself: where its document is, and what of it can be used (Authorization API
 * 1.0, "Policy Decision Point Metadata").
 *
 * The document is as untrusted as a reply. It chooses paths of the service's own origin and nothing else, so that neither a
 * question nor credentials go anywhere but to the service. `signed_metadata` is not looked at, which the specification allows.
 */
import { JsonError, parseJson } from "../expression/json.ts";
import type { UpstreamReply } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import { isPlainObject } from "../model/plain-object.ts";
import { quoted } from "../text/quote.ts";

const WELL_KNOWN = "/.well-known/authzen-configuration";
/** The default path for one evaluation. */
export const EVALUATION = "/access/v1/evaluation";
const EVALUATIONS = "/access/v1/evaluations";
/** No address of an endpoint is longer, in characters. */
const LONGEST = 2048;

/** Where one service is asked, and where its document is. */
export interface Discovered {
  /** Path and query for one evaluation, on the service's origin. */
  readonly evaluation: string;
  /** The same for several at once; null: the decision point has none. */
  readonly evaluations: string | null;
}

/** Where a service's document is looked for, and whose it must be. */
export interface MetadataPlace {
  /** The service's URL, as configured. */
  readonly service: URL;
  readonly address: URL;
  /** Given outright, so that the identifier is not what the address was made from. */
  readonly given: boolean;
}

/**
 * The document's place: the well-known part goes between host and path.
 *
 *     metadataPlace(new URL("https://pdp.example.com/tenant1")).address.href
 *     // "https://pdp.example.com/.well-known/authzen-configuration/tenant1"
 */
export function metadataPlace(service: URL, given?: URL): MetadataPlace {
  return { service, address: given ?? inserted(service), given: given !== undefined };
}

function inserted(identifier: URL): URL {
  return new URL(WELL_KNOWN + identifier.pathname.replace(/\/$/, ""), identifier.origin);
}

/** The default paths, below the service's URL: where a decision point publishes nothing. */
function defaultPaths(service: URL): Discovered {
  const base = service.pathname.replace(/\/+$/, "");
  return { evaluation: base + EVALUATION, evaluations: base + EVALUATIONS };
}

/** What takes the place of a call's path, whose query stays; null: nothing does. */
export function discoveredPath(path: string, { evaluation, evaluations }: Discovered): string | null {
  const [asked, ...query] = path.split("?");
  const found = asked === EVALUATION ? evaluation : asked === EVALUATIONS ? evaluations : null;
  if (found === null || query.length === 0) return found;
  return `${found}${found.includes("?") ? "&" : "?"}${query.join("?")}`;
}

/** What the reply to a request for the document says: paths, or why it cannot be used. */
export function readMetadata(reply: UpstreamReply, place: MetadataPlace): Discovered | Failure {
  const { status, headers, body } = reply;
  if (status === 404 || status === 410) return defaultPaths(place.service);
  const failure = (what: string): Failure => ({
    cause: status >= 500 ? "http_5xx" : status >= 400 ? "http_4xx" : "bad_reply",
    detail: `discovery at ${place.address.href}: ${what}`,
    status,
  });
  if (status !== 200) return failure(refusal(status));
  const type = headers.get("content-type") ?? "";
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    const got = type === "" ? "no Content-Type" : quote(type.slice(0, 100));
    return failure(
      `expected a document of application/json, got ${got}; is this a decision point's address?`,
    );
  }
  let document: unknown;
  try {
    document = parseJson(body.toString("utf8"));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return failure(`the document is not readable as JSON: ${error.message}`);
  }
  if (!isPlainObject(document)) return failure("the document is no JSON object");
  const wrongIdentity = identityProblem(document.policy_decision_point, place);
  if (wrongIdentity !== null) return failure(wrongIdentity);
  const defaults = defaultPaths(place.service);
  const evaluation = endpointOf(document, "access_evaluation_endpoint", place);
  const evaluations = endpointOf(document, "access_evaluations_endpoint", place);
  for (const endpoint of [evaluation, evaluations])
    if (endpoint !== null && "problem" in endpoint) return failure(endpoint.problem);
  return {
    evaluation: pathOf(evaluation) ?? defaults.evaluation,
    // "The absence of any of these parameters is sufficient for the PEP to determine that the PDP is not capable."
    evaluations: pathOf(evaluations),
  };
}

function refusal(status: number): string {
  if (status === 401 || status === 403)
    return `the service says ${status}; it may want credentials (auth) for its document, or has none and hides that`;
  if (status >= 300 && status < 400)
    return `the service redirects (${status}), which is not followed; give the address that it leads to: discover: { authzen: URL }`;
  return `HTTP status ${status} in place of a document`;
}

/**
 * "The policy_decision_point value returned MUST be identical to the identifier into which the well-known URI string was
 * inserted." Where the address was given outright it must be one that this address can be made from, or the service's URL,
 * or name no tenant; a document that names nobody is then taken.
 */
function identityProblem(value: unknown, { service, address, given }: MetadataPlace): string | null {
  if (value === undefined && given) return null;
  if (typeof value !== "string" || value.length > LONGEST || !URL.canParse(value)) {
    return `policy_decision_point must be a URL, got ${described(value)}`;
  }
  const identifier = new URL(value);
  const same = plain(identifier) === plain(service);
  if (same) return null;
  if (given && identifier.origin === service.origin && identifier.search === "" && identifier.hash === "") {
    if (identifier.pathname === "/" || inserted(identifier).href === address.href) return null;
    if (plain(identifier) + WELL_KNOWN === address.href) return null;
  }
  const expected = given ? `that of ${plain(service)}` : plain(service);
  return `the document is another decision point's: policy_decision_point is ${quote(value)}, expected ${expected}; the service's url must be that identifier`;
}

/** Without the last slash; URLs are normalized by then. */
function plain({ origin, pathname, search, hash, username }: URL): string {
  return origin + pathname.replace(/\/$/, "") + search + hash + (username === "" ? "" : "@");
}

const quote = (text: string): string => `"${quoted(text)}"`;

type Endpoint = { readonly path: string } | { readonly problem: string };

function endpointOf(
  document: Readonly<Record<string, unknown>>,
  name: string,
  { service }: MetadataPlace,
): Endpoint | null {
  if (!Object.hasOwn(document, name)) return null;
  const value = document[name];
  if (typeof value !== "string" || value.length > LONGEST || !URL.canParse(value)) {
    return { problem: `${name} must be a URL, got ${described(value)}` };
  }
  const url = new URL(value);
  if (url.origin !== service.origin) {
    return {
      problem: `${name} leads to another origin, ${quote(url.origin)}; questions and credentials go to ${service.origin} alone`,
    };
  }
  if (url.username !== "" || url.password !== "" || url.hash !== "") {
    return { problem: `${name} holds credentials or a fragment, which the address of an endpoint has not` };
  }
  return { path: url.pathname + url.search };
}

function pathOf(endpoint: Endpoint | null): string | null {
  return endpoint !== null && "path" in endpoint ? endpoint.path : null;
}

function described(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value !== "string")
    return Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
  return quote(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}

/** Milliseconds until the document is read again, from its Cache-Control (RFC 9111 §5.2.2). */
export function metadataAge({ status, headers }: UpstreamReply): number {
  const fallback = status === 200 ? DEFAULT_AGE : ABSENT_AGE;
  const text = headers.get("cache-control")?.toLowerCase() ?? "";
  if (/(?:^|[\s,])no-(?:store|cache)\b/.test(text)) return SHORTEST_AGE;
  const seconds = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,10})\b/.exec(text)?.[1];
  if (seconds === undefined) return fallback;
  return Math.min(LONGEST_AGE, Math.max(SHORTEST_AGE, Number(seconds) * 1000));
}

/** In milliseconds. */
const DEFAULT_AGE = 3600_000;
/** Of a service that publishes nothing: it may begin to. */
const ABSENT_AGE = 5 * 60_000;
const SHORTEST_AGE = 30_000;
const LONGEST_AGE = 24 * 3600_000;
