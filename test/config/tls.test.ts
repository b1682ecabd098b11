import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { ProblemError } from "../../src/source/problem.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pfxbridge-tls-config-"));
  writeFileSync(join(folder, "passphrase"), "geheimnis\n");
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: "pipe", timeout: 20_000 });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-passout", "pass:geheimnis"];
  openssl("req", "-x509", ...key, "-keyout", "c.key", "-subj", "/CN=c", "-days", "2", "-out", "c.pem");
  const pass = ["-passin", "pass:geheimnis", "-passout", "pass:geheimnis"];
  openssl("pkcs12", "-export", "-in", "c.pem", "-inkey", "c.key", ...pass, "-out", "c.p12");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function problemsOf(tls: string) {
  const text = `services: { corp: { url: https://authz.example.com, tls: { ${tls} } } }\n`;
  try {
    const { warnings, services } = await parseConfig(text, join(folder, "pfxbridge.yaml"));
    return { warnings: warnings.map(({ message }) => message), errors: [], tls: services.get("corp")?.tls };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return { warnings: [], errors: error.problems.map(({ message }) => message), tls: undefined };
  }
}

describe("tls of a service", () => {
  it.each([
    ["an encrypted key", "cert: c.pem, key: c.key, passphrase: { file: passphrase }"],
    ["PKCS#12", "pkcs12: c.p12, passphrase: geheimnis"],
    ["a newer least version", "min_version: TLSv1.3"],
    ["ciphers", 'ciphers: "ECDHE+AESGCM"'],
  ])("takes %s, and does not show the passphrase", async (_name, tls) => {
    const { errors, warnings, tls: read } = await problemsOf(tls);
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
    expect(JSON.stringify(read)).not.toContain("geheimnis");
  });

  it.each([
    ["pkcs12: c.p12, passphrase: falsch", /tls\.passphrase is not the one of tls\.pkcs12/],
    ["cert: c.pem, key: c.key", /is encrypted: set tls\.passphrase/],
    ["cert: c.pem, pkcs12: c.p12", /leave out "cert" and "key", or it/],
    ["passphrase: geheimnis", /opens "key" or "pkcs12", and neither is there/],
    ["min_version: TLSv1", /TLSv1 signs with SHA-1, which OpenSSL refuses: it takes "legacy: true" too/],
    ["min_version: SSLv3", /TLSv1/],
    ["ciphers: NONSENSE", /tls\.ciphers names no cipher/],
    ["pkcs12: nowhere.p12, passphrase: geheimnis", /nowhere\.p12/],
  ])("refuses { %s } with a message to act on", async (tls, message) => {
    const { errors } = await problemsOf(tls);
    expect(errors.join("\n")).toMatch(message);
    expect(errors.join("\n")).not.toMatch(/geheimnis|falsch/);
  });

  it.each([
    [
      "min_version: TLSv1.1, legacy: true",
      [/TLSv1\.1 is broken and deprecated \(RFC 8996\)/, /legacy accepts weak/],
    ],
    ["legacy: true", [/legacy accepts weak/]],
    ['ciphers: "DEFAULT:@SECLEVEL=0"', [/known to be weak/]],
    ["ciphers: ALL", [/known to be weak/]],
  ])("warns of each weakening: { %s }", async (tls, expected) => {
    const { warnings } = await problemsOf(tls);
    expect(warnings).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });
});
