/** `auth.session`: a login of the service's own, by what it logs in, what its reply gives, and where calls show that. */
import { compileLogin } from "../mapping/login.ts";
import type { Shown } from "../mapping/login-reply.ts";
import { isFailure } from "../model/failure.ts";
import { isLoopback } from "../model/loopback.ts";
import type { Path } from "../source/position.ts";
import type { Session, TlsConfig } from "./config.ts";
import { ownedHeaderProblem, readSecrets } from "./credentials.ts";
import { parseDuration } from "./duration.ts";
import type { Masker } from "./masker.ts";
import type { Report } from "./report.ts";
import type { RawService } from "./schema.ts";
import { revealed } from "./secret.ts";
import { readUrls } from "./urls.ts";

type RawSession = NonNullable<NonNullable<RawService["auth"]>["session"]>;

const LIFETIME =
  "expected a duration such as 30m, or an expression that gives seconds, such as int(body.maxtime)";

/** What holds where the login says nothing else. */
export interface SessionService {
  readonly urls: readonly string[];
  readonly tls: TlsConfig;
  readonly xmlLimit: number;
  readonly jsonLimit: number;
}

/** Null, and problems in the report, when it cannot be used. */
export function readSession(
  raw: RawSession,
  path: Path,
  report: Report,
  masker: Masker,
  service: SessionService,
): Session | null {
  const { url, ...request } = raw.login;
  const urls = url === undefined ? service.urls : readUrls(url, [...path, "login", "url"], report);
  const secrets = readSecrets(raw.secrets, [...path, "secrets"], report, masker);
  const shown = readShown(raw, path, report);
  if (shown === null) return null;
  if (url !== undefined) warnOfPlain(urls, [...path, "login"], report);
  const duration = raw.expires_in === undefined ? undefined : parseDuration(raw.expires_in);
  let failed = false;
  const login = compileLogin(
    {
      login: request,
      token: raw.token,
      expiresIn: duration === undefined ? raw.expires_in : undefined,
      expired: raw.expired,
      shown,
    },
    {
      secrets: { names: Object.keys(raw.secrets), values: revealed(secrets) },
      reply: { xmlLimit: service.xmlLimit, jsonLimit: service.jsonLimit },
      report: (at, message, offset) => {
        failed = true;
        const hint = at[0] === "expires_in" ? `; ${LIFETIME}` : "";
        report.error([...path, ...at], message + hint, offset === undefined ? {} : { offset });
      },
    },
  );
  if (failed || urls.length === 0 || Object.keys(secrets).length < Object.keys(raw.secrets).length)
    return null;
  const call = login.render();
  if (isFailure(call)) {
    report.error([...path, "login"], call.detail, { key: true });
    return null;
  }
  return {
    kind: "session",
    urls,
    login,
    secrets,
    headerNames: shown.in === "header" ? [shown.name] : shown.in === "cookie" ? ["cookie"] : [],
    ...(duration !== undefined && { lifetime: duration }),
    definition: JSON.stringify([raw.login, raw.token, shown]),
    ...(raw.timeout !== undefined && { timeout: raw.timeout }),
    tls: service.tls,
    onToken: masker.passing(),
  };
}

function readShown(raw: RawSession, path: Path, report: Report): Shown | null {
  const given = (["header", "cookie", "soap_header"] as const).filter((name) => raw[name] !== undefined);
  if (given.length !== 1) {
    const got = given.length === 0 ? "none" : given.join(" and ");
    const message = `calls show the token in one of "header", "cookie" and "soap_header", got ${got}`;
    report.error(path, message, { key: true });
    return null;
  }
  if (raw.token === undefined && raw.cookie === undefined) {
    const message =
      "token says what of the login's reply is shown, such as body.tokenId; only a cookie needs none";
    report.error(path, message, { key: true });
    return null;
  }
  if (raw.soap_header !== undefined) return { in: "soap_header", xml: raw.soap_header };
  if (raw.cookie !== undefined) {
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(raw.cookie)) return { in: "cookie", name: raw.cookie };
    report.error([...path, "cookie"], "this is no name of a cookie (RFC 6265)");
    return null;
  }
  const { name, value } = raw.header!;
  const problem = ownedHeaderProblem(name.toLowerCase());
  if (problem === undefined) return { in: "header", name: name.toLowerCase(), value };
  report.error([...path, "header", "name"], problem);
  return null;
}

function warnOfPlain(urls: readonly string[], path: Path, report: Report): void {
  const open = urls.map((url) => new URL(url)).filter(({ protocol }) => protocol === "http:");
  if (open.every(({ hostname }) => isLoopback(hostname))) return;
  report.warn(path, "the login goes over http://, where others can read it; use https://", { key: true });
}
