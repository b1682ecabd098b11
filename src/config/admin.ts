/** `admin`: where the bridge is seen from outside (health, metrics, status), and by whom. */
import { createSecureContext } from "node:tls";
import { isLoopback } from "../model/loopback.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../postfix/endpoint.ts";
import { readTrusted } from "../source/trusted.ts";
import type { AdminConfig } from "./config.ts";
import type { Masker } from "./masker.ts";
import { readToken, refuseSocketFileKeys } from "./own-endpoint.ts";
import type { Report } from "./report.ts";
import type { RawAdmin } from "./schema.ts";
import { Secret } from "./secret.ts";

/** Of a socket: its owner alone. */
const DEFAULT_MODE = 0o600;
/** A certificate with its chain, in bytes. */
const MOST_PEM = 256 * 1024;

/** @param taken endpoints of something else */
export function readAdmin(
  raw: RawAdmin,
  taken: readonly { readonly endpoint: Endpoint }[],
  report: Report,
  masker: Masker,
): AdminConfig | undefined {
  const { endpoint: text, mode, owner, group, token, basic, tls } = typeof raw === "string" ? only(raw) : raw;
  const path = typeof raw === "string" ? ["admin"] : ["admin", "endpoint"];
  const endpoint = parseEndpoint(text);
  if ("problem" in endpoint) {
    report.error(path, endpoint.problem);
    return undefined;
  }
  if (taken.some((other) => formatEndpoint(other.endpoint) === formatEndpoint(endpoint))) {
    report.error(path, "this endpoint stands under listen or control as well; each needs its own");
  }
  if (endpoint.kind === "inet") {
    refuseSocketFileKeys(raw, "admin", report);
    checkNetwork(endpoint, { token, basic, tls }, path, report);
  }
  const secret = token && readToken(token, ["admin", "token"], report, masker);
  const password =
    basic && readToken(basic.password, ["admin", "basic", "password"], report, masker, "a password");
  if (basic !== undefined && /[:\u0000-\u001f\u007f]/.test(basic.username)) {
    report.error(["admin", "basic", "username"], "a user name holds no colon (RFC 7617)");
  }
  // What is shown is the base64 form of both together, which the masker derives.
  if (basic && password) password.follow(() => masker.add(`${basic.username}:${password.reveal()}`));
  return {
    endpoint,
    mode: mode === undefined ? DEFAULT_MODE : Number.parseInt(mode, 8),
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
    ...(secret && { token: secret }),
    ...(basic && password && { basic: { username: basic.username, password } }),
    ...(tls && { tls: readTls(tls, report) }),
  };
}

/** Read now, with root's rights at the start, and again with each reload. */
function readTls(raw: { readonly cert: string; readonly key: string }, report: Report) {
  const read = (name: "cert" | "key"): string => {
    const file = readTrusted(report.resolve(raw[name]), MOST_PEM, undefined, report.owner);
    if ("text" in file) {
      if (name === "key") report.warnIfPublic(["admin", "tls", name], report.resolve(raw[name]));
      return file.text;
    }
    report.error(["admin", "tls", name], file.problem);
    return "";
  };
  const [cert, key] = [read("cert"), read("key")];
  if (cert !== "" && key !== "") {
    try {
      createSecureContext({ cert, key });
    } catch (error) {
      const why = (error as Error).message;
      report.error(
        ["admin", "tls"],
        `certificate and key cannot be used together (${why}); both are PEM files`,
      );
    }
  }
  return { cert, key: new Secret(key) };
}

function only(endpoint: string): Exclude<RawAdmin, string> {
  return { endpoint };
}

/** What is seen there is nobody else's business: neither who asks nor what they show crosses a network in the clear. */
function checkNetwork(
  { host }: Endpoint & { kind: "inet" },
  { token, basic, tls }: Pick<Exclude<RawAdmin, string>, "token" | "basic" | "tls">,
  path: string[],
  report: Report,
): void {
  if (isLoopback(host) || (tls !== undefined && (token ?? basic) !== undefined)) return;
  report.error(
    path,
    `others can reach ${host}, so this needs tls and a token (or basic): ` +
      "admin: { endpoint: …, tls: { cert: FILE, key: FILE }, token: { file: PATH } }; or use inet:127.0.0.1:9997, or a unix: socket",
  );
}
