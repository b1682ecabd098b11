/** `auth.oauth2`: client credentials, from where tokens come and by what the client shows who it is. */

import { runsAsRoot } from "../files/hands.ts";
import type { Path } from "../source/position.ts";
import { readTrusted } from "../source/trusted.ts";
import { isSafe } from "../upstream/tokens/address.ts";
import { keyProblem, type Thumbprints, thumbprintsOf } from "../upstream/tokens/client-key.ts";
import type { OAuth2, OAuth2Proof, TlsConfig } from "./config.ts";
import { readPem, readSecret } from "./credentials.ts";
import type { Masker } from "./masker.ts";
import type { Report } from "./report.ts";
import type { RawService } from "./schema.ts";
import type { Secret } from "./secret.ts";

export type RawOAuth2 = NonNullable<NonNullable<RawService["auth"]>["oauth2"]>;

/** What the grant has of its own, and what the client shows itself by. */
const OWN_PARAMETERS = /^(?:grant_type|client_id|client_secret|client_assertion|client_assertion_type)$/;

/** @param tls of the service, which holds where `oauth2` has none of its own */
export function readOAuth2(
  raw: RawOAuth2,
  path: Path,
  report: Report,
  masker: Masker,
  tls: TlsConfig,
): OAuth2 | null {
  const server = readServer(raw, path, report);
  const proof = readProof(raw, path, report, masker, tls);
  for (const name of Object.keys(raw.parameters)) {
    if (!OWN_PARAMETERS.test(name)) continue;
    report.error([...path, "parameters", name], `${name} is set by auth.oauth2 itself`, { key: true });
  }
  if (server === null || proof === null) return null;
  return {
    kind: "oauth2",
    server,
    clientId: raw.client_id,
    proof,
    parameters: parametersOf(raw),
    ...(raw.timeout !== undefined && { timeout: raw.timeout }),
    tls,
    onToken: masker.passing(),
  };
}

function parametersOf({ scope, audience, resource, parameters }: RawOAuth2): [string, string][] {
  const scopes = [scope ?? []].flat().join(" ");
  return [
    ...(scopes === "" ? [] : [["scope", scopes] as [string, string]]),
    ...(audience === undefined ? [] : [["audience", audience] as [string, string]]),
    ...[resource ?? []].flat().map((value): [string, string] => ["resource", value]),
    ...Object.entries(parameters).map(([name, value]): [string, string] => [name, String(value)]),
  ];
}

function readServer(raw: RawOAuth2, path: Path, report: Report): OAuth2["server"] | null {
  const { token_url: tokenUrl, issuer } = raw;
  if ((tokenUrl === undefined) === (issuer === undefined)) {
    const message = "oauth2 takes either token_url, or issuer, whose metadata says where tokens are";
    report.error(path, message, { key: true });
    return null;
  }
  const [name, url] = tokenUrl === undefined ? ["issuer", issuer!] : ["token_url", tokenUrl];
  const problem = addressProblem(url, name === "issuer");
  if (problem !== null) {
    report.error([...path, name], problem);
    return null;
  }
  return tokenUrl === undefined ? { issuer: issuer! } : { tokenUrl };
}

/** Never quotes the URL, which may hold a password. */
function addressProblem(text: string, isIssuer: boolean): string | null {
  if (!URL.canParse(text) || !/^https?:\/\//.test(text)) {
    return "expected a URL, such as https://login.example.com/token";
  }
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return "credentials do not belong in a URL";
  if (url.hash !== "" || (isIssuer && url.search !== "")) {
    return isIssuer ? "an issuer's URL ends before ? and #" : "the URL ends before #";
  }
  return isSafe(text) ? null : "tokens and secrets go over https:// alone, but from this machine itself";
}

function readProof(
  raw: RawOAuth2,
  path: Path,
  report: Report,
  masker: Masker,
  tls: TlsConfig,
): OAuth2Proof | null {
  const method = raw.method ?? usualMethod(raw, tls);
  if (method === null) {
    const message =
      "nothing shows who the client is: set client_secret, or private_key, or cert and key under tls";
    report.error(path, message, { key: true });
    return null;
  }
  const needless = (["client_secret", "private_key"] as const).filter(
    (name) => raw[name] !== undefined && !NEEDS[method].includes(name),
  );
  for (const name of needless) {
    report.warn([...path, name], `${name} is not used by ${method}`, { key: true });
  }
  for (const name of ["passphrase", "key_id", "certificate", "algorithm", "assertion_audience"] as const) {
    if (raw[name] === undefined || method === "private_key_jwt") continue;
    report.warn([...path, name], `${name} is not used by ${method}`, { key: true });
  }
  switch (method) {
    case "tls_client_auth":
      return readCertificateProof(tls, path, report);
    case "private_key_jwt":
      return readKeyProof(raw, path, report, masker);
    default: {
      if (raw.client_secret === undefined) {
        report.error([...path, "method"], `${method} needs client_secret`);
        return null;
      }
      const secret = readSecret(raw.client_secret, [...path, "client_secret"], report, masker);
      if (secret === null) return null;
      if (method === "client_secret_basic") {
        // What is sent is the base64 form of both together, which the masker derives.
        const encoded = (text: string) => new URLSearchParams({ "": text }).toString().slice(1);
        secret.follow(() => masker.add(`${encoded(raw.client_id)}:${encoded(secret.reveal())}`));
      }
      return { method, secret };
    }
  }
}

type Method = OAuth2Proof["method"];

const NEEDS: Readonly<Record<Method, readonly string[]>> = {
  client_secret_basic: ["client_secret"],
  client_secret_post: ["client_secret"],
  private_key_jwt: ["private_key"],
  tls_client_auth: [],
};

function usualMethod({ private_key, client_secret }: RawOAuth2, tls: TlsConfig): Method | null {
  if (private_key !== undefined) return "private_key_jwt";
  if (client_secret !== undefined) return "client_secret_basic";
  return hasCertificate(tls) ? "tls_client_auth" : null;
}

function hasCertificate(tls: TlsConfig): boolean {
  return Object.keys(tls).some((name) => name === "cert" || name === "pkcs12");
}

function readCertificateProof(tls: TlsConfig, path: Path, report: Report): OAuth2Proof | null {
  if (hasCertificate(tls)) return { method: "tls_client_auth" };
  const message = "tls_client_auth needs a client certificate: cert and key under tls";
  report.error([...path, "method"], message);
  return null;
}

function readKeyProof(raw: RawOAuth2, path: Path, report: Report, masker: Masker): OAuth2Proof | null {
  const { key_id: keyId, algorithm, assertion_audience: audience } = raw;
  if (raw.private_key === undefined) {
    report.error([...path, "method"], "private_key_jwt needs private_key");
    return null;
  }
  const passphrase =
    raw.passphrase === undefined
      ? undefined
      : readSecret(raw.passphrase, [...path, "passphrase"], report, masker);
  if (passphrase === null) return null;
  const problemOf = (pem: string) => keyProblem(pem, passphrase?.reveal(), algorithm);
  const key = readPem(raw.private_key, [...path, "private_key"], report, masker, problemOf);
  if (key === null) return null;
  const thumbprints =
    raw.certificate === undefined
      ? undefined
      : readThumbprints(raw.certificate, key, passphrase, path, report);
  if (thumbprints === null) return null;
  return {
    method: "private_key_jwt",
    key,
    ...(thumbprints !== undefined && { thumbprints }),
    ...(passphrase !== undefined && { passphrase }),
    ...(keyId !== undefined && { keyId }),
    ...(algorithm !== undefined && { algorithm }),
    ...(audience !== undefined && { audience }),
  };
}

/** In bytes. */
const LARGEST_CERTIFICATE = 64 * 1024;

/** Of the certificate that belongs to the key; null, and a problem in the report, when it cannot be used. */
function readThumbprints(
  certificate: string,
  key: Secret,
  passphrase: Secret | undefined,
  path: Path,
  report: Report,
): Thumbprints | null {
  const content = readTrusted(report.resolve(certificate), LARGEST_CERTIFICATE, runsAsRoot(), report.owner);
  const thumbprints =
    "problem" in content ? content : thumbprintsOf(content.text, key.reveal(), passphrase?.reveal());
  if (!("problem" in thumbprints)) return thumbprints;
  report.error([...path, "certificate"], thumbprints.problem);
  return null;
}
