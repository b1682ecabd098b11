/** `services`: the authorization services, how they are reached and what is asked of them. */

import { isLoopback } from "../model/loopback.ts";
import type { PolicyRequest } from "../model/request.ts";
import type { Path } from "../source/position.ts";
import { ProblemError } from "../source/problem.ts";
import { readCache } from "./cache.ts";
import type { AuthConfig, CacheConfig, ServiceConfig, TlsConfig } from "./config.ts";
import { authHeaderNames, authQueryName, readAuth, readHeaders, readSecrets } from "./credentials.ts";
import { checkDiscovered, readDiscover } from "./discover.ts";
import { formatDuration } from "./duration.ts";
import { readMapping } from "./mappings.ts";
import type { Masker } from "./masker.ts";
import { readOAuth2 } from "./oauth.ts";
import { FAIL_CLOSED, readOnFailure } from "./on-failure.ts";
import { readProxy } from "./proxy.ts";
import type { Report } from "./report.ts";
import type { RawService } from "./schema.ts";
import { Secret } from "./secret.ts";
import { readSession } from "./session.ts";
import { readTls } from "./tls.ts";
import { readHost, readUrls } from "./urls.ts";
import { readWarmFile } from "./warm.ts";

/** smtpd_policy_service_timeout: Postfix waits no longer, and asks again. */
const POSTFIX_TIMEOUT = 100_000;
const SERVICE_NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;

/** What a route needs to know of a service, which may be unusable for another reason. */
export type RoutableService = Pick<ServiceConfig, "name" | "onFailure">;

export interface Services {
  /** Those that can be used; all, unless there are errors in the report. */
  readonly services: ReadonlyMap<string, ServiceConfig>;
  /** Those that the configuration names. */
  readonly named: ReadonlyMap<string, RoutableService>;
}

/** @param state the file of `control.state` */
export async function readServices(
  raw: Readonly<Record<string, RawService>>,
  state: string | undefined,
  report: Report,
  masker: Masker,
): Promise<Services> {
  const services = new Map<string, ServiceConfig>();
  const named = new Map<string, RoutableService>();
  for (const [name, rawService] of Object.entries(raw)) {
    if (!SERVICE_NAME.test(name)) {
      const message = "the name of a service is made of letters, digits, hyphens, dots and underscores";
      report.error(["services", name], message, { key: true });
    }
    const path = ["services", name];
    const settings = readSettings(name, rawService, path, report, masker);
    const mapping = await readMapping(rawService, settings.secrets, [...path, "mapping"], report);
    named.set(name, settings);
    if (mapping === undefined) continue;
    const cache = readCache(name, rawService.cache, state, mapping, [...path, "cache"], report, masker);
    const warm = readWarm(rawService, cache, path, report);
    const service: ServiceConfig = { ...settings, mapping, warm, ...(cache && { cache }) };
    if (service.discover !== undefined) checkDiscovered(mapping, [...path, "discover"], report);
    checkHeaderOwners(service, Object.keys(rawService.headers), path, report);
    checkEnvelope(service, [...path, "auth"], report);
    services.set(name, service);
  }
  return { services, named };
}

type Settings = Omit<ServiceConfig, "mapping" | "cache" | "warm">;

/** Everything but the mapping. */
function readSettings(name: string, raw: RawService, path: Path, report: Report, masker: Masker): Settings {
  const { retry, breaker } = raw;
  const urls = readUrls(raw.url, [...path, "url"], report);
  const discover = readDiscover(raw.discover, urls, [...path, "discover"], report);
  const tls = readTls(raw.tls, [...path, "tls"], report, masker);
  const settings: Settings = {
    name,
    urls,
    ...(discover && { discover }),
    timeout: raw.timeout,
    deadline: raw.deadline,
    stressDeadline: raw.stress_deadline ?? raw.deadline,
    retry: {
      attempts: retry.attempts,
      backoff: retry.backoff,
      maxBackoff: retry.max_backoff ?? Math.max(DEFAULT_MAX_BACKOFF, retry.backoff),
    },
    breaker: {
      failureRate: breaker.failure_rate,
      minimumCalls: breaker.minimum_calls,
      window: breaker.window,
      openFor: breaker.open_for,
    },
    maxInFlight: raw.max_in_flight,
    fair: raw.fair,
    pipelining: raw.pipelining,
    http2: raw.http2,
    traceparent: raw.traceparent,
    maxReplySize: raw.max_reply_size,
    maxConnectionAge: raw.max_connection_age,
    ...(raw.batch && { batch: raw.batch }),
    onFailure: readOnFailure(raw.on_failure, [...path, "on_failure"], report) ?? FAIL_CLOSED,
    headers: readHeaders(raw.headers, [...path, "headers"], report, masker),
    secrets: readSecrets(raw.secrets, [...path, "secrets"], report, masker),
    auth: readServiceAuth(raw, urls, tls, [...path, "auth"], report, masker),
    tls,
    proxies: readProxy(raw.proxy, [...path, "proxy"], report, masker),
    ...readHost(raw.host, urls, [...path, "host"], report),
  };
  checkTimes(settings, path, report);
  checkTransport(settings, path, report);
  return settings;
}

/** Tokens come over connections of their own, secured as the service's are unless something else is said. */
function readServiceAuth(
  { auth: raw, max_xml_size: xmlLimit, max_json_size: jsonLimit }: RawService,
  urls: readonly string[],
  tls: TlsConfig,
  path: Path,
  report: Report,
  masker: Masker,
): AuthConfig {
  const { oauth2, session } = raw ?? {};
  const fetched = oauth2 ?? session;
  if (fetched === undefined || Object.keys(raw ?? {}).length > 1) return readAuth(raw, path, report, masker);
  const at = [...path, oauth2 === undefined ? "session" : "oauth2"];
  const own = fetched.tls === undefined ? tls : readTls(fetched.tls, [...at, "tls"], report, masker);
  const auth =
    oauth2 === undefined
      ? readSession(session!, at, report, masker, { urls, tls: own, xmlLimit, jsonLimit })
      : readOAuth2(oauth2, at, report, masker, own);
  return auth ?? { kind: "none" };
}

function readWarm(
  { warm }: RawService,
  cache: CacheConfig | undefined,
  path: Path,
  report: Report,
): readonly PolicyRequest[] {
  if (warm === undefined) return [];
  if (cache === undefined) {
    report.error([...path, "warm"], "warm needs a cache, which keeps what is asked beforehand", {
      key: true,
    });
  }
  try {
    return readWarmFile(report.resolve(warm), report.owner);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    report.include(error.problems);
    return [];
  }
}

const DEFAULT_MAX_BACKOFF = 500;

function checkTimes(settings: Settings, path: Path, report: Report): void {
  const { timeout, deadline, stressDeadline, retry } = settings;
  if (deadline < timeout) {
    const message = `the deadline (${formatDuration(deadline)}) ends before one attempt may (timeout: ${formatDuration(timeout)})`;
    report.warn([...path, "deadline"], message);
  }
  if (deadline >= POSTFIX_TIMEOUT) {
    const message = `Postfix waits ${formatDuration(POSTFIX_TIMEOUT)} at most (smtpd_policy_service_timeout), and its clients often less; a deadline of a few seconds is usual`;
    report.warn([...path, "deadline"], message);
  }
  if (stressDeadline > deadline) {
    const message = `a Postfix under stress would wait longer (${formatDuration(stressDeadline)}) than others (deadline: ${formatDuration(deadline)})`;
    report.warn([...path, "stress_deadline"], message);
  }
  if (retry.maxBackoff < retry.backoff) {
    report.error([...path, "retry", "max_backoff"], "max_backoff is shorter than backoff");
  }
}

/** Each header has one owner: the mapping, `headers`, or `auth`. */
function checkHeaderOwners(
  { auth, mapping }: ServiceConfig,
  headerNames: readonly string[],
  path: Path,
  report: Report,
): void {
  const ofAuth = authHeaderNames(auth);
  for (const name of headerNames) {
    const lower = name.toLowerCase();
    const owner = ofAuth.includes(lower)
      ? "auth"
      : mapping.headerNames.includes(lower)
        ? "the mapping"
        : null;
    if (owner === null) continue;
    const message = `the header ${lower} is set by ${owner} already; leave it out here`;
    report.error([...path, "headers", name], message, { key: true });
  }
  for (const name of mapping.headerNames.filter((header) => ofAuth.includes(header))) {
    const message = `the mapping sets the header ${name} itself; leave it to auth, or auth to it`;
    report.error([...path, "auth"], message, { key: true });
  }
  const query = authQueryName(auth);
  if (query !== undefined && mapping.queryNames.has(query)) {
    const message = `the mapping sets the query parameter ${query} itself; leave it to auth, or auth to it`;
    report.error([...path, "auth"], message, { key: true });
  }
}

function checkEnvelope({ auth, mapping }: ServiceConfig, path: Path, report: Report): void {
  if (mapping.seal !== undefined) return;
  const part =
    auth.kind === "ws_security"
      ? ["ws_security"]
      : auth.kind === "session" && auth.login.block !== null
        ? ["session", "soap_header"]
        : null;
  if (part === null) return;
  const message = `${part.at(-1)} is a part of a SOAP envelope, and the mapping ${mapping.name} makes none: it needs "soap" under request`;
  report.error([...path, ...part], message, { key: true });
}

function checkTransport(
  { urls, headers, secrets: ofMapping, auth, tls }: Settings,
  path: Path,
  report: Report,
): void {
  const all = urls.map((url) => new URL(url));
  const plain = all.filter(({ protocol }) => protocol === "http:");
  const secrets =
    auth.kind !== "none" ||
    Object.keys(ofMapping).length > 0 ||
    Object.values(headers).some((value) => value instanceof Secret);
  if (secrets && plain.some(({ hostname }) => !isLoopback(hostname))) {
    report.warn([...path, "url"], "credentials go over http://, where others can read them; use https://");
  }
  if (Object.keys(tls).length > 0 && all.length > 0 && all.every(({ protocol }) => protocol !== "https:")) {
    report.warn([...path, "tls"], "tls has no effect on http:// URLs", { key: true });
  }
}
