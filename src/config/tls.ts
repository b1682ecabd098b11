/** `tls` of a service: its files, which must be usable now, and what weakens it, of which `check` and the start warn. */
import { runsAsRoot } from "../files/hands.ts";
import type { Path } from "../source/position.ts";
import { fileProblem } from "../source/trusted.ts";
import { readTlsFiles } from "../upstream/transport/tls-files.ts";
import { TLS_FILES } from "../upstream/transport/tls-options.ts";
import type { TlsConfig } from "./config.ts";
import { readSecret } from "./credentials.ts";
import type { Masker } from "./masker.ts";
import type { Report } from "./report.ts";
import type { RawService } from "./schema.ts";
import type { Secret } from "./secret.ts";

const HOLD_KEYS: ReadonlySet<string> = new Set(["key", "pkcs12"]);

/** Names in lists of ciphers that bring what is known to be weak. */
const WEAK =
  /@SECLEVEL=0|(?:^|[:+, ])(?:ALL|COMPLEMENTOFALL|LOW|EXP\w*|MD5|RC4|3?DES|SEED|IDEA)\b|RC4|DES-CBC|MD5/;

/** An empty one, and a problem in the report, where it cannot be used. */
export function readTls(raw: RawService["tls"], path: Path, report: Report, masker: Masker): TlsConfig {
  const misfit = misfitOf(raw);
  if (misfit !== undefined) {
    report.error([...path, misfit.key], misfit.problem, { key: true });
    return {};
  }
  const files: Partial<Record<(typeof TLS_FILES)[number], string>> = {};
  for (const name of TLS_FILES) {
    if (raw[name] === undefined) continue;
    files[name] = report.resolve(raw[name]);
    const problem = fileProblem(files[name], runsAsRoot(), report.owner);
    if (problem !== undefined) {
      report.error([...path, name], problem);
      return {};
    }
    if (HOLD_KEYS.has(name)) report.warnIfPublic([...path, name], files[name]);
  }
  const passphrase = readPassphrase(raw, path, report, masker);
  if (passphrase === null) return {};
  warnOfWeakness(raw, path, report);
  const { min_version: minVersion, ciphers, legacy, server_name: serverName } = raw;
  const tls: TlsConfig = {
    ...files,
    ...(passphrase && { passphrase }),
    ...(minVersion && { minVersion }),
    ...(ciphers !== undefined && { ciphers }),
    ...(legacy && { legacy }),
    ...(serverName !== undefined && { serverName }),
  };
  try {
    readTlsFiles(tls);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    report.error(path, `these settings cannot be used for TLS: ${why}`, { key: true });
  }
  return tls;
}

type RawTls = RawService["tls"];

function misfitOf(raw: RawTls): { readonly key: keyof RawTls; readonly problem: string } | undefined {
  if (raw.pkcs12 !== undefined && (raw.cert !== undefined || raw.key !== undefined)) {
    return {
      key: "pkcs12",
      problem: '"pkcs12" holds certificate and key: leave out "cert" and "key", or it',
    };
  }
  if ((raw.cert === undefined) !== (raw.key === undefined)) {
    const [key, missing] = raw.cert === undefined ? (["key", "cert"] as const) : (["cert", "key"] as const);
    return { key, problem: `"${key}" is of use only together with "${missing}"` };
  }
  if (raw.passphrase !== undefined && raw.key === undefined && raw.pkcs12 === undefined) {
    return { key: "passphrase", problem: '"passphrase" opens "key" or "pkcs12", and neither is there' };
  }
  if (!raw.legacy && (raw.min_version === "TLSv1" || raw.min_version === "TLSv1.1")) {
    const problem = `${raw.min_version} signs with SHA-1, which OpenSSL refuses: it takes "legacy: true" too, if the service cannot be renewed`;
    return { key: "min_version", problem };
  }
  return undefined;
}

/** Undefined where there is none; null where it cannot be had. */
function readPassphrase(raw: RawTls, path: Path, report: Report, masker: Masker): Secret | undefined | null {
  if (raw.passphrase === undefined) return undefined;
  return readSecret(raw.passphrase, [...path, "passphrase"], report, masker);
}

function warnOfWeakness(
  { min_version: version, legacy, ciphers = "" }: RawTls,
  path: Path,
  report: Report,
): void {
  if (version === "TLSv1" || version === "TLSv1.1") {
    const message = `${version} is broken and deprecated (RFC 8996): who is between here and the service may read or change what is said; for as long as it cannot be renewed`;
    report.warn([...path, "min_version"], message);
  }
  if (legacy) {
    const message =
      "legacy accepts weak ciphers, short keys, SHA-1 and services without secure renegotiation (OpenSSL's security level 0); for as long as the service cannot be renewed";
    report.warn([...path, "legacy"], message);
  }
  if (WEAK.test(ciphers)) {
    report.warn(
      [...path, "ciphers"],
      "these ciphers include some that are known to be weak, or allow short keys",
    );
  }
}
