/**
 * TLS with servers that are none of ours: nginx demands client certificates, and `openssl s_server` is whatever an old or
 * wrongly set up service may be. What goes wrong is told in words, with the setting that has to do with it.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { TlsOptions } from "../../src/upstream/transport/tls-options.ts";
import { isMissing } from "../support/requirement.ts";
import { startServer } from "../support/server-process.ts";
import { freePort, temporaryFolder } from "../support/temporary.ts";
import { TestAuthority } from "../upstream/certificates.ts";
import { caller } from "../upstream/harness.ts";

const authority = new TestAuthority();
const stranger = new TestAuthority();
afterAll(() => {
  authority.remove();
  stranger.remove();
});
const ca = authority.certificate;
const server = authority.issue("server", "DNS:localhost");
const client = authority.issue("client", "DNS:bridge.example.com");
const PASSPHRASE = "ge heim";
const passphrase = { reveal: () => PASSPHRASE };

const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe", timeout: 20_000 });
const file = (name: string) => join(authority.directory, name);

function pkcs12(name: string, pair = client, ...how: string[]): string {
  const out = ["-out", file(name), "-passout", `pass:${PASSPHRASE}`];
  openssl("pkcs12", "-export", ...how, "-in", pair.cert, "-inkey", pair.key, ...out);
  return file(name);
}

function encrypted(name: string, ...how: string[]): string {
  const out = ["-out", file(name), "-passout", `pass:${PASSPHRASE}`];
  openssl("pkcs8", "-topk8", ...how, "-in", client.key, ...out);
  return file(name);
}

/** Its URL; it says `hello` and the client's subject. */
async function nginx(more: string): Promise<string> {
  const folder = await temporaryFolder();
  const port = await freePort();
  writeFileSync(
    join(folder.path, "nginx.conf"),
    `daemon off; pid ${folder.path}/pid; error_log stderr; worker_processes 1;
    events { worker_connections 64; }
    http { access_log off; client_body_temp_path ${folder.path}; proxy_temp_path ${folder.path}; fastcgi_temp_path ${folder.path};
      uwsgi_temp_path ${folder.path}; scgi_temp_path ${folder.path};
      server { listen 127.0.0.1:${port} ssl; server_name localhost;
        ssl_certificate ${server.cert}; ssl_certificate_key ${server.key}; ${more}
        location / { return 200 "hello $ssl_client_s_dn $ssl_protocol"; } } }`,
  );
  await startServer("nginx", ["-c", join(folder.path, "nginx.conf")], port);
  return `https://localhost:${port}`;
}

async function sServer(...how: string[]): Promise<string> {
  const port = await freePort();
  const at = ["-accept", `127.0.0.1:${port}`, "-www", "-naccept", "1000"];
  const own = how.includes("-cert") ? [] : ["-cert", server.cert, "-key", server.key];
  await startServer("openssl", ["s_server", ...at, ...own, ...how], port);
  return `https://localhost:${port}`;
}

/** By GET: `openssl s_server -www` knows nothing else. */
const asked = (url: string, tls: TlsOptions) =>
  caller(url, { tls, timeout: 3000 }).call({ method: "GET", body: null, headers: {} });

const detailOf = async (url: string, tls: TlsOptions) => {
  const { answer } = await asked(url, tls);
  const detail = "detail" in answer ? answer.detail : "an answer";
  // Neither OpenSSL's numbers nor its source files.
  expect(detail).not.toMatch(/:error:|\.c:\d|[0-9A-F]{8}:/);
  return detail;
};

describe.skipIf(isMissing("nginx", "tests of client certificates with nginx"))("nginx", () => {
  const demanding = `ssl_client_certificate ${ca}; ssl_verify_client on; ssl_protocols TLSv1.2 TLSv1.3;`;

  it.each([
    ["PEM", () => client],
    ["PEM with an encrypted key", () => ({ cert: client.cert, key: encrypted("pkcs8.key"), passphrase })],
    ["PKCS#12", () => ({ pkcs12: pkcs12("client.p12"), passphrase })],
  ] as const)("takes a client certificate from %s", async (_name, own) => {
    const url = await nginx(demanding);
    expect((await caller(url, { tls: { ca, ...own() } }).call()).answer).toMatchObject({
      body: expect.stringMatching(/^hello CN=client TLSv1\.3/),
    });
  });

  it("takes the one that PKCS#12 holds after it has changed, also where its passphrase changes later", async () => {
    const url = await nginx(demanding);
    const path = file("changing.p12");
    copyFileSync(pkcs12("first.p12"), path);
    let secret = PASSPHRASE;
    const tls = { ca, pkcs12: path, passphrase: { reveal: () => secret }, checkEvery: 30 };
    const { call, certificates } = caller(url, { tls });
    expect((await call()).answer).toMatchObject({ body: expect.stringMatching(/CN=client /) });
    const next = authority.issue("second", "DNS:bridge.example.com");
    const out = ["-out", file("next.p12"), "-passout", "pass:other"];
    openssl("pkcs12", "-export", "-in", next.cert, "-inkey", next.key, ...out);
    renameSync(file("next.p12"), path);
    await expect
      .poll(() => certificates.at(-1), { timeout: 5000 })
      .toMatchObject({
        ok: false,
        detail: expect.stringMatching(/tls\.passphrase is not the one of tls\.pkcs12/),
      });
    expect((await call()).answer).toMatchObject({ body: expect.stringMatching(/CN=client /) });
    secret = "other";
    await expect.poll(() => certificates.at(-1), { timeout: 5000 }).toMatchObject({ ok: true });
    expect((await call()).answer).toMatchObject({ body: expect.stringMatching(/CN=second /) });
  });

  it("speaks TLS 1.3 alone, or not far enough", async () => {
    const old = await nginx("ssl_protocols TLSv1.2;");
    expect(await detailOf(old, { ca, minVersion: "TLSv1.3" })).toMatch(
      /speaks no version of TLS that is asked for, TLSv1\.3 or later; renew it, or set tls\.min_version: TLSv1\.2/,
    );
    const modern = await nginx("ssl_protocols TLSv1.3;");
    const { answer } = await asked(modern, { ca, minVersion: "TLSv1.3" });
    expect(answer).toMatchObject({ body: expect.stringMatching(/TLSv1\.3$/) });
  });
});

describe("openssl s_server", () => {
  const WEAK = ["-cipher", "ALL:@SECLEVEL=0"];

  it.each(["-tls1", "-tls1_1"])(
    "speaks only %s: reached where that is said, told in words where not",
    async (version) => {
      const url = await sServer(version, ...WEAK);
      expect(await detailOf(url, { ca })).toMatch(
        /no version of TLS that is asked for, TLSv1\.2 or later; .* tls\.min_version: TLSv1 with tls\.legacy: true/,
      );
      const { answer } = await asked(url, { ca, minVersion: "TLSv1", legacy: true });
      expect(answer).toMatchObject({ body: expect.stringContaining("s_server") });
    },
  );

  it("has only ciphers that are not asked for", async () => {
    const pair = { cert: file("rsa.pem"), key: file("rsa.key") };
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"];
    openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      pair.key,
      ...subject,
      "-out",
      pair.cert,
    );
    const own = ["-cert", pair.cert, "-key", pair.key];
    const url = await sServer(...own, "-tls1_2", "-cipher", "CAMELLIA128-SHA:@SECLEVEL=0");
    expect(await detailOf(url, { ca: pair.cert })).toMatch(
      /no cipher that is asked for, see tls\.ciphers and tls\.legacy/,
    );
    for (const tls of [{ ciphers: "CAMELLIA128-SHA" }, { legacy: true }]) {
      const { answer } = await asked(url, { ca: pair.cert, ...tls });
      expect(answer).toMatchObject({ body: expect.stringContaining("s_server") });
    }
  });

  it.each([
    ["-tls1_2", /client certificate, check tls\.cert and tls\.key, or tls\.pkcs12/],
    ["-tls1_3", /demands a client certificate; check tls\.cert and tls\.key, or tls\.pkcs12/],
  ])("demands a client certificate: %s", async (version, words) => {
    expect(await detailOf(await sServer(version, "-Verify", "1"), { ca })).toMatch(words);
  });

  it("does not take a stranger's client certificate, and the message names where it is from", async () => {
    const strange = stranger.issue("strange", "DNS:bridge.example.com");
    const url = await sServer("-Verify", "1", "-verify_return_error", "-CAfile", ca);
    expect(await detailOf(url, { ca, ...strange })).toMatch(
      /does not know the authority that signed the certificate in tls\.cert|refused the client certificate in tls\.cert/,
    );
    const options = { ca, pkcs12: pkcs12("strange.p12", strange), passphrase };
    expect(await detailOf(url, options)).toMatch(/tls\.pkcs12/);
  });

  it.each([
    [
      "has expired",
      () => authority.issue("expired", "DNS:localhost", "expired"),
      /has expired; it must be renewed there/,
    ],
    [
      "is for another host",
      () => authority.issue("wrong", "DNS:other.example"),
      /not for this name .* tls\.server_name/,
    ],
    [
      "is from a stranger",
      () => stranger.issue("foreign", "DNS:localhost"),
      /set tls\.ca to that authority's/,
    ],
    ["is signed by itself", selfSigned, /signed by itself and not trusted here; .* set tls\.ca to it/],
    ["is not valid yet", notYetValid, /not valid yet; check the clocks/],
  ])("shows a certificate that %s", async (_name, pair, words) => {
    const { cert, key } = pair();
    expect(await detailOf(await sServer("-cert", cert, "-key", key), { ca })).toMatch(words);
  });
});

function selfSigned() {
  const pair = { cert: file("self.pem"), key: file("self.key") };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", pair.key];
  openssl(
    "req",
    "-x509",
    ...key,
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost",
    "-out",
    pair.cert,
  );
  return pair;
}

/** `openssl x509` of Debian 12 cannot say when it begins, `openssl ca` can. */
function notYetValid() {
  const pair = authority.issue("future", "DNS:localhost");
  writeFileSync(file("index.txt"), "");
  writeFileSync(
    file("ca.conf"),
    `[ca]\ndefault_ca = d\n[d]\ndatabase = ${file("index.txt")}\nnew_certs_dir = ${authority.directory}\nrand_serial = yes
default_md = sha256\npolicy = p\n[p]\ncommonName = supplied\n`,
  );
  const signed = [
    "-cert",
    ca,
    "-keyfile",
    file("authority.key"),
    "-in",
    file("future.csr"),
    "-out",
    pair.cert,
  ];
  const when = ["-startdate", "20980101000000Z", "-enddate", "20990101000000Z"];
  openssl(
    "ca",
    "-batch",
    "-notext",
    "-config",
    file("ca.conf"),
    ...signed,
    ...when,
    "-extfile",
    file("future.ext"),
  );
  return pair;
}

describe("files that cannot be used", () => {
  const rc2 = (name: string) => pkcs12(name, client, "-legacy");
  it.each([
    [
      "a wrong passphrase of PKCS#12",
      () => ({ pkcs12: pkcs12("a.p12"), passphrase: { reveal: () => "x" } }),
      /passphrase is not the one of tls\.pkcs12/,
    ],
    [
      "no passphrase for PKCS#12",
      () => ({ pkcs12: pkcs12("b.p12") }),
      /needs a passphrase: set tls\.passphrase/,
    ],
    [
      "PKCS#12 of old tools",
      () => ({ pkcs12: rc2("old.p12"), passphrase }),
      /RC2.*openssl pkcs12 -legacy -in/,
    ],
    [
      "PEM for PKCS#12",
      () => ({ pkcs12: client.cert, passphrase }),
      /no PKCS#12 file .* tls\.cert and tls\.key/,
    ],
    [
      "a wrong passphrase of a key",
      () => ({ cert: client.cert, key: encrypted("c.key"), passphrase: { reveal: () => "x" } }),
      /passphrase is not the one of the private key/,
    ],
    [
      "no passphrase for a key",
      () => ({ cert: client.cert, key: encrypted("d.key") }),
      /is encrypted: set tls\.passphrase/,
    ],
    [
      "another certificate's key",
      () => ({ cert: client.cert, key: server.key }),
      /not that of the certificate in tls\.cert/,
    ],
    ["no key", () => ({ cert: client.cert, key: client.cert }), /tls\.key holds no private key in PEM/],
    [
      "no certificate",
      () => ({ cert: client.key, key: client.key }),
      /tls\.cert holds no certificate in PEM/,
    ],
    ["ciphers that nobody knows", () => ({ ciphers: "NONSENSE" }), /tls\.ciphers names no cipher/],
  ] as const)("say what to do: %s", (_name, tls, words) => {
    expect(() => caller("https://localhost:1", { tls: tls() })).toThrow(words);
  });

  it("can be used once they are written anew as the message says", () => {
    const [old, all, anew] = [rc2("older.p12"), file("all.pem"), file("anew.p12")];
    openssl("pkcs12", "-legacy", "-in", old, "-nodes", "-out", all, "-passin", `pass:${PASSPHRASE}`);
    openssl("pkcs12", "-export", "-in", all, "-out", anew, "-passout", `pass:${PASSPHRASE}`);
    expect(() => caller("https://localhost:1", { tls: { pkcs12: anew, passphrase } })).not.toThrow();
    expect(readFileSync(anew).length).toBeGreaterThan(0);
  });
});
