/** `services`: the authorization services, how they are reached and what is asked of them. */
import type { Path } from "../yaml/position.ts";
import type { ServiceConfig, TlsConfig } from "./config.ts";
import { authHeaderNames, readAuth, readHeaders } from "./credentials.ts";
import { formatDuration } from "./duration.ts";
import { readMapping } from "./mappings.ts";
import { FAIL_CLOSED } from "./on-failure.ts";
import { fileProblem } from "./permissions.ts";
import type { Report } from "./report.ts";
import { readOnFailure } from "./routes.ts";
import type { RawService } from "./schema.ts";
import { type Masker, Secret } from "./secret.ts";
import { readUrls } from "./urls.ts";

/** smtpd_policy_service_timeout: Postfix waits no longer, and asks again. */
const POSTFIX_TIMEOUT = 100_000;
const SERVICE_NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;

/** The services by name, with problems in the report. */
export async function readServices(
  raw: Readonly<Record<string, RawService>>,
  report: Report,
  masker: Masker,
): Promise<ReadonlyMap<string, ServiceConfig>> {
  const services = new Map<string, ServiceConfig>();
  for (const [name, service] of Object.entries(raw)) {
    if (!SERVICE_NAME.test(name)) {
      const message = "the name of a service is made of letters, digits, hyphens, dots and underscores";
      report.error(["services", name], message, { key: true });
    }
    services.set(name, await readService(name, service, report, masker));
  }
  return services;
}

async function readService(
  name: string,
  raw: RawService,
  report: Report,
  masker: Masker,
): Promise<ServiceConfig> {
  const path = ["services", name] as const;
  const { retry, breaker } = raw;
  const urls = readUrls(raw.url, [...path, "url"], report);
  const headers = readHeaders(raw.headers, [...path, "headers"], report, masker);
  const auth = readAuth(raw.auth, [...path, "auth"], report, masker);
  const mapping = await readMapping(raw.mapping, [...path, "mapping"], report);
  const config: ServiceConfig = {
    name,
    urls,
    mapping,
    timeout: raw.timeout,
    deadline: raw.deadline,
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
    maxReplySize: raw.max_reply_size,
    maxXmlSize: raw.max_xml_size,
    maxConnectionAge: raw.max_connection_age,
    onFailure: readOnFailure(raw.on_failure, [...path, "on_failure"], report) ?? FAIL_CLOSED,
    headers,
    auth,
    tls: readTls(raw.tls, [...path, "tls"], report),
  };
  checkTimes(config, path, report);
  checkHeaderOwners(config, path, report);
  checkTransport(config, path, report);
  return config;
}

const DEFAULT_MAX_BACKOFF = 500;

function checkTimes({ timeout, deadline, retry }: ServiceConfig, path: Path, report: Report): void {
  if (deadline < timeout) {
    const message = `the deadline (${formatDuration(deadline)}) ends before one attempt may (timeout: ${formatDuration(timeout)})`;
    report.warn([...path, "deadline"], message);
  }
  if (deadline >= POSTFIX_TIMEOUT) {
    const message = `Postfix waits ${formatDuration(POSTFIX_TIMEOUT)} at most (smtpd_policy_service_timeout), and its clients often less; a deadline of a few seconds is usual`;
    report.warn([...path, "deadline"], message);
  }
  if (retry.maxBackoff < retry.backoff) {
    report.error([...path, "retry", "max_backoff"], "max_backoff is shorter than backoff");
  }
}

/** Each header has one owner: the mapping, `headers`, or `auth`. */
function checkHeaderOwners({ headers, auth, mapping }: ServiceConfig, path: Path, report: Report): void {
  const ofAuth = authHeaderNames(auth);
  const ofMapping = mapping.loaded?.headerNames ?? [];
  for (const name of Object.keys(headers)) {
    const owner = ofAuth.includes(name) ? "auth" : ofMapping.includes(name) ? "the mapping" : undefined;
    if (owner === undefined) continue;
    report.error([...path, "headers"], `the header ${name} is set by ${owner} already; leave it out here`);
  }
  for (const name of ofMapping.filter((name) => ofAuth.includes(name))) {
    report.error(
      [...path, "auth"],
      `the header ${name} is set by the mapping already; only auth can set it`,
      {
        key: true,
      },
    );
  }
}

function checkTransport({ urls, headers, auth, tls }: ServiceConfig, path: Path, report: Report): void {
  const plain = urls.map((url) => new URL(url)).filter(({ protocol }) => protocol === "http:");
  if (plain.length === 0) return;
  const secrets = auth.kind !== "none" || Object.values(headers).some((value) => value instanceof Secret);
  if (secrets && plain.some(({ hostname }) => !isLoopback(hostname))) {
    report.warn([...path, "url"], "credentials go over http://, where others can read them; use https://");
  }
  if (Object.keys(tls).length > 0 && plain.length === urls.length) {
    report.warn([...path, "tls"], "tls has no effect on http:// URLs", { key: true });
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function readTls(raw: RawService["tls"], path: Path, report: Report): TlsConfig {
  if ((raw.cert === undefined) !== (raw.key === undefined)) {
    const [given, missing] = raw.cert === undefined ? ["key", "cert"] : ["cert", "key"];
    report.error([...path, given], `"${given}" is of use only together with "${missing}"`, { key: true });
  }
  const files: { ca?: string; cert?: string; key?: string } = {};
  for (const name of ["ca", "cert", "key"] as const) {
    if (raw[name] === undefined) continue;
    files[name] = report.resolve(raw[name]);
    const problem = fileProblem(files[name]);
    if (problem !== undefined) report.error([...path, name], problem);
  }
  return { ...files, ...(raw.server_name !== undefined && { serverName: raw.server_name }) };
}
