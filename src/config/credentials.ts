/** Secrets, fixed headers and `auth` of a service: resolved, known to the masker, and fit to be sent. */
import { join } from "node:path";
import { fitsXml } from "../mapping/render/escape.ts";
import { isHeaderName, isHeaderValue, isReservedHeader } from "../model/header.ts";
import { environmentVariable } from "../source/contents.ts";
import type { Path } from "../source/position.ts";
import { namesSecret } from "../text/excerpt.ts";
import type { ApiKey, AuthConfig } from "./config.ts";
import type { Masker } from "./masker.ts";
import type { Report } from "./report.ts";
import type { RawSecret, RawService } from "./schema.ts";
import { Secret } from "./secret.ts";
import { SecretFile } from "./secret-file.ts";

/** In characters; a shorter one is warned of. */
const SHORTEST_SECRET = 8;
const CONTROL = /[\u0000-\u001f\u007f]/;

/** They belong to the body, and so to the mapping. */
const OF_THE_BODY: ReadonlySet<string> = new Set(["content-type", "content-encoding"]);

/** What is wrong with a secret's value, whatever it is for; undefined where nothing is. */
function unsendable(value: string): string | undefined {
  if (value === "") return "the secret is empty";
  return CONTROL.test(value)
    ? "the secret holds a line break or another control character, which no header can carry"
    : undefined;
}

/**
 * A secret from where it is kept; null, and a problem in the report, when it cannot be had.
 *
 * @param alsoWrong what else is wrong with a value, for what it is used for
 */
export function readSecret(
  raw: RawSecret,
  path: Path,
  report: Report,
  masker: Masker,
  alsoWrong: (value: string) => string | undefined = () => undefined,
): Secret | null {
  return readPem(raw, path, report, masker, (value) => unsendable(value) ?? alsoWrong(value));
}

/** The same for a secret of several lines, which no header carries. */
export function readPem(
  raw: RawSecret,
  path: Path,
  report: Report,
  masker: Masker,
  problemOf: (value: string) => string | undefined,
): Secret | null {
  if (typeof raw === "object" && !("env" in raw)) {
    const [key, file] =
      "file" in raw ? ["file", report.resolve(raw.file)] : ["credential", credentialFile(raw.credential)];
    const secret =
      typeof file === "string" ? SecretFile.read(file, { owner: report.owner, problemOf, masker }) : file;
    if (secret instanceof SecretFile) {
      warnOfShort(secret.reveal(), path, report);
      report.warnIfPublic([...path, key], secret.path);
      return secret;
    }
    const isOfValue = "isOfValue" in secret;
    report.error(isOfValue ? path : [...path, key], secret.problem);
    return null;
  }
  const value = typeof raw === "string" ? raw : environmentVariable(raw.env);
  if (value === undefined) {
    report.error([...path, "env"], `the environment variable ${(raw as { env: string }).env} is not set`);
    return null;
  }
  masker.add(value);
  const problem = problemOf(value);
  if (problem === undefined) {
    warnOfShort(value, path, report);
    return new Secret(value);
  }
  report.error(path, problem);
  return null;
}

/** It is taken out of words that have nothing to do with it. */
function warnOfShort(value: string, path: Path, report: Report): void {
  if (value.length >= SHORTEST_SECRET) return;
  const message = `a secret of less than ${SHORTEST_SECRET} characters is easily guessed, and ***, which stands in its place in logs, hides ordinary words; take a longer one`;
  report.warn(path, message);
}

/** Where systemd puts what LoadCredential= and its like name (systemd.exec(5)). */
function credentialFile(name: string): string | { readonly problem: string } {
  const folder = process.env.CREDENTIALS_DIRECTORY;
  if (/[/\0]/.test(name) || name === "." || name === "..") {
    return { problem: "the name of a credential is one of those in the unit, without a folder" };
  }
  if (folder === undefined || folder === "") {
    return {
      problem: `there are no credentials: systemd sets CREDENTIALS_DIRECTORY for a unit with LoadCredential=${name}:PATH`,
    };
  }
  return join(folder, name);
}

/** What `secrets` of a service names; those that cannot be had are left out. */
export function readSecrets(
  raw: RawService["secrets"],
  path: Path,
  report: Report,
  masker: Masker,
): Record<string, Secret> {
  const secrets: Record<string, Secret> = {};
  for (const [name, value] of Object.entries(raw)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)) {
      const message = "the name of a secret is made of letters, digits and underscores, as in secret.api_key";
      report.error([...path, name], message, { key: true });
      continue;
    }
    const secret = readSecret(value, [...path, name], report, masker);
    if (secret !== null) secrets[name] = secret;
  }
  return secrets;
}

/** The fixed headers by lower-case name. */
export function readHeaders(
  raw: RawService["headers"],
  path: Path,
  report: Report,
  masker: Masker,
): Record<string, string | Secret> {
  const headers: Record<string, string | Secret> = {};
  for (const [name, value] of Object.entries(raw)) {
    const at = [...path, name];
    const lower = name.toLowerCase();
    const problem = ownedHeaderProblem(lower);
    if (problem !== undefined) {
      report.error(at, problem, { key: true });
    } else if (Object.hasOwn(headers, lower)) {
      report.error(at, `the header ${lower} stands twice`, { key: true });
    } else if (typeof value === "string" && !namesSecret(name)) {
      if (!isHeaderValue(value)) report.error(at, "a header value has no control characters");
      headers[lower] = value;
    } else {
      headers[lower] = readSecret(value, at, report, masker) ?? "";
    }
  }
  return headers;
}

/** The header names, lower case, that an `auth` sets. */
export function authHeaderNames(auth: AuthConfig): readonly string[] {
  if (auth.kind === "api_key") return auth.in === "header" ? [auth.name] : [];
  if (auth.kind === "session") return auth.headerNames;
  return ["basic", "bearer", "oauth2"].includes(auth.kind) ? ["authorization"] : [];
}

/** All that an `auth` shows, or fetches tokens by. */
export function secretsOfAuth(auth: AuthConfig): readonly Secret[] {
  switch (auth.kind) {
    case "none":
      return [];
    case "api_key":
      return [auth.key];
    case "bearer":
      return [auth.token];
    case "oauth2":
      return [...Object.values(auth.proof), auth.tls.passphrase].filter((value) => value instanceof Secret);
    case "session":
      return [...Object.values(auth.secrets), auth.tls.passphrase].filter((value) => value instanceof Secret);
    case "basic":
    case "ws_security":
      return [auth.password];
  }
}

/** The query parameter that an `auth` adds to each call; undefined where there is none. */
export function authQueryName(auth: AuthConfig): string | undefined {
  return auth.kind === "api_key" && auth.in === "query" ? auth.name : undefined;
}

export function readAuth(raw: RawService["auth"], path: Path, report: Report, masker: Masker): AuthConfig {
  const none: AuthConfig = { kind: "none" };
  if (raw === undefined) return none;
  const ways = Object.keys(raw);
  if (ways.length !== 1) {
    const got = ways.length === 0 ? "none" : ways.join(" and ");
    report.error(
      path,
      `expected one of "basic", "bearer", "api_key", "oauth2", "session" and "ws_security", got ${got}`,
    );
    return none;
  }
  if (raw.ws_security !== undefined)
    return readUsernameToken(raw.ws_security, [...path, "ws_security"], report, masker) ?? none;
  if (raw.bearer !== undefined) {
    // RFC 6750 §2.1: no blank, and ASCII alone.
    const noToken = (value: string) =>
      /^[\x21-\x7e]+$/.test(value)
        ? undefined
        : "a bearer token holds no blanks, and nothing but ASCII (RFC 6750)";
    const token = readSecret(raw.bearer, [...path, "bearer"], report, masker, noToken);
    return token === null ? none : { kind: "bearer", token };
  }
  if (raw.api_key !== undefined) return readApiKey(raw.api_key, [...path, "api_key"], report, masker) ?? none;
  if (raw.basic === undefined) return none;
  const { username } = raw.basic;
  if (/[:\u0000-\u001f\u007f]/.test(username)) {
    report.error(
      [...path, "basic", "username"],
      "a user name for basic authentication holds no colon (RFC 7617)",
    );
  }
  const password = readSecret(raw.basic.password, [...path, "basic", "password"], report, masker);
  if (password === null) return none;
  // What is sent is the base64 form of both together, which the masker derives.
  password.follow(() => masker.add(`${username}:${password.reveal()}`));
  return { kind: "basic", username, password };
}

function readApiKey(
  raw: NonNullable<NonNullable<RawService["auth"]>["api_key"]>,
  path: Path,
  report: Report,
  masker: Masker,
): ApiKey | null {
  const key = readSecret(raw.key, [...path, "key"], report, masker);
  if ("query" in raw) {
    if (key === null) return null;
    return { kind: "api_key", in: "query", name: raw.query, key };
  }
  const name = raw.header.toLowerCase();
  const problem = ownedHeaderProblem(name);
  if (problem !== undefined) report.error([...path, "header"], problem);
  return key === null || problem !== undefined ? null : { kind: "api_key", in: "header", name, key };
}

/** Why neither `headers` nor `auth` of a service can set a header of this name, in lower case. */
export function ownedHeaderProblem(name: string): string | undefined {
  if (!isHeaderName(name)) return "this is no header name; letters, digits and hyphens make one";
  if (isReservedHeader(name) || OF_THE_BODY.has(name)) {
    return `the header ${name} is set by the bridge or by the mapping; leave it out here`;
  }
  return undefined;
}

function readUsernameToken(
  raw: NonNullable<NonNullable<RawService["auth"]>["ws_security"]>,
  path: Path,
  report: Report,
  masker: Masker,
): AuthConfig | null {
  const { username, type, nonce = type === "digest", created = type === "digest", timestamp = 0 } = raw;
  if (!fitsXml(username) || CONTROL.test(username)) {
    report.error([...path, "username"], "a control character has no place in the header of a SOAP call");
    return null;
  }
  if (type === "digest" && !nonce && !created) {
    const message =
      "without nonce and created the digest is the same each time, and as good as the password for who sees it";
    report.warn([...path, "type"], message);
  }
  const noXml = (value: string) =>
    fitsXml(value) ? undefined : "the password holds half a surrogate pair, which XML cannot carry";
  const password = readSecret(raw.password, [...path, "password"], report, masker, noXml);
  if (password === null) return null;
  const token = { username, type, nonce, created, timestamp, mustUnderstand: raw.must_understand };
  return { kind: "ws_security", token, password };
}
