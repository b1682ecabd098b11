/** Files with secrets that every user of the machine can read. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { TestAuthority } from "../upstream/certificates.ts";

describe("a secret that the world can read", () => {
  let folder: string;

  beforeEach(async () => {
    const made = await temporaryFolder(0o755);
    onTestFinished(made.remove);
    folder = made.path;
    await mkdir(join(folder, "secrets"));
    await writeFile(join(folder, "secrets/password"), "hunter22\n", { mode: 0o644 });
  });

  async function warnings(service: object): Promise<string[]> {
    const file = join(folder, "pfxbridge.yaml");
    const corp = { url: "https://authz.example.com", ...service };
    await writeFile(file, JSON.stringify({ services: { corp } }), { mode: 0o644 });
    return (await loadConfig(file)).warnings.map(({ line, message }) => `${line}: ${message}`);
  }

  const WITH_PASSWORD = { auth: { bearer: { file: "secrets/password" } } };

  it("is warned of where the configuration names it, with the command", async () => {
    expect(await warnings(WITH_PASSWORD)).toEqual([
      `1: every user of this machine can read this secret; chmod o-r ${join(folder, "secrets/password")}`,
    ]);
  });

  it("is none behind a folder that is closed, and none that a group alone can read", async () => {
    await chmod(join(folder, "secrets"), 0o750);
    expect(await warnings(WITH_PASSWORD)).toEqual([]);
    await chmod(join(folder, "secrets"), 0o755);
    await chmod(join(folder, "secrets/password"), 0o640);
    expect(await warnings(WITH_PASSWORD)).toEqual([]);
  });

  it("may be a key, and is not a certificate", async () => {
    const authority = new TestAuthority();
    onTestFinished(() => authority.remove());
    const { cert, key } = authority.issue("client", "DNS:client.example");
    await chmod(authority.directory, 0o755);
    await chmod(cert, 0o644);
    await chmod(key, 0o644);
    expect(await warnings({ tls: { cert, key } })).toEqual([
      `1: every user of this machine can read this secret; chmod o-r ${key}`,
    ]);
  });
});
