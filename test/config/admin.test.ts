import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { formatProblem, type ProblemError } from "../../src/source/problem.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";

let folder: TemporaryFolder;
let file: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  file = join(folder.path, "pfxbridge.yaml");
  writeFileSync(join(folder.path, "token"), "s3cret-token\n", { mode: 0o600 });
  writeFileSync(join(folder.path, "no.pem"), "nothing\n", { mode: 0o600 });
  const out = ["-keyout", join(folder.path, "key.pem"), "-out", join(folder.path, "cert.pem")];
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  execFileSync("openssl", [...made, "-subj", "/CN=bridge.example.org", "-days", "2", ...out], {
    stdio: "ignore",
  });
});
afterAll(() => folder.remove());

const SERVICE = "services: { corp: { url: https://authz.example.com } }\n";
const admin = async (text: string) => (await parseConfig(`${SERVICE}admin: ${text}`, file)).admin;
const problemsOf = async (text: string) => {
  const error = await parseConfig(`${SERVICE}${text}`, file).catch((error: unknown) => error);
  return (error as ProblemError).problems.map(formatProblem).join("\n");
};

describe("admin", () => {
  it("is not there unless it is set", async () => {
    expect((await parseConfig(SERVICE, file)).admin).toBeUndefined();
  });

  it.each(["inet:127.0.0.1:9997", "'inet:9997'", "inet:[::1]:9997", "unix:/run/pfxbridge/admin"])(
    "is an address that nobody else reaches: %s",
    async (endpoint) => {
      expect(await admin(endpoint)).toMatchObject({ mode: 0o600 });
    },
  );

  it("for others takes TLS, and a token or a password", async () => {
    const tls = "tls: { cert: cert.pem, key: key.pem }";
    const withToken = await admin(`{ endpoint: "inet:0.0.0.0:9997", ${tls}, token: { file: token } }`);
    expect(withToken?.tls?.cert).toContain("BEGIN CERTIFICATE");
    expect(JSON.stringify(withToken)).not.toContain("PRIVATE KEY");
    const basic = await admin(
      `{ endpoint: "inet:0.0.0.0:9997", ${tls}, basic: { username: prometheus, password: long-enough } }`,
    );
    expect(basic?.basic?.username).toBe("prometheus");
  });

  it.each([
    ["reached by others", "admin: inet:0.0.0.0:9997", "tls and a token"],
    [
      "by others, with a token in the clear",
      'admin: { endpoint: "inet:0.0.0.0:9997", token: abcdefgh }',
      "tls and a token",
    ],
    [
      "by others, secured, for anybody",
      'admin: { endpoint: "inet:0.0.0.0:9997", tls: { cert: cert.pem, key: key.pem } }',
      "tls and a token",
    ],
    ["where Postfix is", "listen: [inet:127.0.0.1:9997]\nadmin: inet:127.0.0.1:9997", "each needs its own"],
    ["where commands are", "control: unix:/run/a\nadmin: unix:/run/a", "each needs its own"],
    [
      "with a token that is guessed",
      "admin: { endpoint: inet:127.0.0.1:9997, token: abc }",
      "at least 8 characters",
    ],
    [
      "with a token that is not there",
      "admin: { endpoint: inet:127.0.0.1:9997, token: { file: nowhere } }",
      "does not exist",
    ],
    [
      "with a mode of nothing",
      'admin: { endpoint: inet:127.0.0.1:9997, mode: "0600" }',
      "only for a unix: socket",
    ],
    [
      "with a certificate that is none",
      "admin: { endpoint: inet:127.0.0.1:9997, tls: { cert: no.pem, key: key.pem } }",
      "cannot be used together",
    ],
    [
      "with a certificate that is not there",
      "admin: { endpoint: inet:127.0.0.1:9997, tls: { cert: gone.pem, key: key.pem } }",
      "gone.pem does not exist",
    ],
    [
      "with a colon in the user name",
      'admin: { endpoint: inet:127.0.0.1:9997, basic: { username: "a:b", password: long-enough } }',
      "no colon",
    ],
  ])("is refused %s", async (_, text, problem) => {
    expect(await problemsOf(text)).toContain(problem);
  });
});
