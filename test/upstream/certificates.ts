/** Certificates for the tests, made with the openssl command: an authority, and what it signs. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface KeyPair {
  /** Files, PEM. */
  readonly cert: string;
  readonly key: string;
}

const COMMAND = "openssl";

/** The pair's contents, as node:https takes them. */
export function contentsOf({ cert, key }: KeyPair): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

export class TestAuthority {
  readonly directory = mkdtempSync(join(tmpdir(), "pfxbridge-tls-"));
  readonly #own: KeyPair;

  constructor() {
    this.#own = this.#files("authority");
    const subject = ["-subj", "/CN=Test authority", "-days", "2"];
    openssl("req", "-x509", ...newKey(this.#own.key), ...subject, "-out", this.#own.cert);
  }

  /** The file that holds the authority's certificate. */
  get certificate(): string {
    return this.#own.cert;
  }

  /** @param names as in `DNS:localhost,IP:127.0.0.1` */
  issue(file: string, names: string, validity: "valid" | "expired" = "valid"): KeyPair {
    const pair = this.#files(file);
    const request = join(this.directory, `${file}.csr`);
    const extensions = join(this.directory, `${file}.ext`);
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    openssl("req", ...newKey(pair.key), "-subj", `/CN=${file}`, "-out", request);
    const authority = ["-CA", this.#own.cert, "-CAkey", this.#own.key, "-CAcreateserial"];
    const days = ["-days", validity === "valid" ? "2" : "-1"];
    openssl("x509", "-req", "-in", request, ...authority, ...days, "-extfile", extensions, "-out", pair.cert);
    return pair;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  #files(name: string): KeyPair {
    return { cert: join(this.directory, `${name}.pem`), key: join(this.directory, `${name}.key`) };
  }
}

function newKey(file: string): string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file];
}

function openssl(...args: string[]): void {
  execFileSync(COMMAND, args, { stdio: "pipe", timeout: 20_000 });
}
