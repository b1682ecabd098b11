/** Secrets, fixed headers and `auth` of a service: resolved, known to the masker, and fit to be sent. */
import { runsAsRoot } from "../files/hands.ts";
import { isHeaderName, isHeaderValue, isReservedHeader } from "../model/header.ts";
import { namesSecret } from "../text/excerpt.ts";
import type { Path } from "../yaml/position.ts";
import type { AuthConfig } from "./config.ts";
import { environmentVariable } from "./contents.ts";
import { readTrusted } from "./permissions.ts";
import type { Report } from "./report.ts";
import type { RawSecret, RawService } from "./schema.ts";
import { type Masker, Secret } from "./secret.ts";

const MAX_SECRET_SIZE = 64 * 1024;
/** They belong to the body, and so to the mapping. */
const OF_THE_BODY: ReadonlySet<string> = new Set(["content-type", "content-encoding"]);

/** A secret's value from where it is kept; null, and a problem in the report, when it cannot be had. */
export function readSecret(raw: RawSecret, path: Path, report: Report, masker: Masker): Secret | null {
  const value = secretValue(raw, path, report);
  if (value === null) return null;
  masker.add(value);
  if (value === "") {
    report.error(path, "the secret is empty");
    return null;
  }
  if (/[\u0000-\u001f\u007f]/.test(value)) {
    report.error(
      path,
      "the secret holds a line break or another control character, which no header can carry",
    );
    return null;
  }
  return new Secret(value);
}

function secretValue(raw: RawSecret, path: Path, report: Report): string | null {
  if (typeof raw === "string") return raw;
  if ("env" in raw) {
    const value = environmentVariable(raw.env);
    if (value === undefined) {
      report.error([...path, "env"], `the environment variable ${raw.env} is not set`);
      return null;
    }
    return value;
  }
  const content = readTrusted(report.resolve(raw.file), MAX_SECRET_SIZE, runsAsRoot(), report.owner);
  if ("problem" in content) {
    report.error([...path, "file"], content.problem);
    return null;
  }
  return content.text.replace(/\r?\n$/, "");
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
    if (!isHeaderName(lower)) {
      report.error(at, "this is no header name; letters, digits and hyphens make one", { key: true });
    } else if (isReservedHeader(lower) || OF_THE_BODY.has(lower)) {
      report.error(at, `the header ${lower} is set by the bridge or by the mapping; leave it out here`, {
        key: true,
      });
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
  return auth.kind === "none" ? [] : ["authorization"];
}

export function readAuth(raw: RawService["auth"], path: Path, report: Report, masker: Masker): AuthConfig {
  const none: AuthConfig = { kind: "none" };
  if (raw === undefined) return none;
  const ways = Object.keys(raw);
  if (ways.length !== 1) {
    report.error(path, `expected one of "basic" and "bearer", got ${ways.length === 0 ? "none" : "both"}`);
    return none;
  }
  if (raw.bearer !== undefined) {
    const token = readSecret(raw.bearer, [...path, "bearer"], report, masker);
    if (token === null) return none;
    // RFC 6750 §2.1: no blank, and ASCII alone.
    if (/^[\x21-\x7e]+$/.test(token.reveal())) return { kind: "bearer", token };
    report.error([...path, "bearer"], "a bearer token holds no blanks, and nothing but ASCII (RFC 6750)");
    return none;
  }
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
  masker.add(`${username}:${password.reveal()}`);
  return { kind: "basic", username, password };
}
