/** What the endpoints of the bridge's own, `control` and `admin`, have in common. */
import type { Path } from "../source/position.ts";
import { readSecret } from "./credentials.ts";
import type { Masker } from "./masker.ts";
import type { Report } from "./report.ts";
import type { RawSecret } from "./schema.ts";
import type { Secret } from "./secret.ts";

const SOCKET_FILE_KEYS = ["mode", "owner", "group"] as const;
/** In characters. */
const LEAST_TOKEN = 8;

/** A token, or a password, that must be shown; null, and a problem in the report, when it cannot be had. */
export function readToken(
  raw: RawSecret,
  path: Path,
  report: Report,
  masker: Masker,
  what = "a token",
): Secret | null {
  // Whoever can connect can guess.
  const tooShort = (token: string) =>
    token.length < LEAST_TOKEN
      ? `${what} has at least ${LEAST_TOKEN} characters; openssl rand -hex 16 makes a good one`
      : undefined;
  return readSecret(raw, path, report, masker, tooShort);
}

/** Of an inet: endpoint, which has no file. */
export function refuseSocketFileKeys(
  raw: string | { readonly [key in (typeof SOCKET_FILE_KEYS)[number]]?: string | undefined },
  under: string,
  report: Report,
): void {
  if (typeof raw === "string") return;
  for (const key of SOCKET_FILE_KEYS.filter((key) => raw[key] !== undefined)) {
    report.error([under, key], `"${key}" is of use only for a unix: socket`, { key: true });
  }
}
