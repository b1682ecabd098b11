/**
 * The image, built by buildah from the packed package and run. Registries of images are not asked: what it is built on is
 * made of this machine's own Node.js, npm and a few programs.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isMissing } from "../support/requirement.ts";
import { freePort } from "../support/temporary.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const NO_BUILDAH = isMissing("buildah", "tests of the image");
const PROGRAMS = ["/bin/sh", "/usr/bin/env", "/usr/bin/install", "/usr/bin/id", "/usr/bin/touch"];
const ACCOUNTS = ["/usr/sbin/groupadd", "/usr/sbin/useradd"];
/** A build installs the package with what it depends on. */
const LONG = 120_000;

/** As the Dockerfile has it. */
const INSTALL = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"];

const execute = promisify(execFile);

describe.skipIf(NO_BUILDAH)("the image", () => {
  let folder: string;
  let container: string;
  const buildah = async (...args: string[]) => {
    const place = [
      "--storage-driver",
      "vfs",
      "--root",
      join(folder, "store"),
      "--runroot",
      join(folder, "run"),
    ];
    return (await execute("buildah", [...place, ...args], { maxBuffer: 1 << 26 })).stdout.trim();
  };
  const run = (...args: string[]) => buildah("run", "--isolation", "chroot", container, "--", ...args);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pfxbridge-image-"));
    await execute("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], { cwd: ROOT });
    for (const file of ["Dockerfile", "pfxbridge.yaml"]) {
      cpSync(join(ROOT, "deploy/oci", file), join(folder, file));
    }
    await makeBase(join(folder, "base"));
    writeFileSync(join(folder, "base.Dockerfile"), "FROM scratch\nCOPY base/ /\n");
    await buildah("build", "-f", join(folder, "base.Dockerfile"), "-t", "localhost/base", folder);
    await fillCache(folder, join(folder, "cache"));
    const cached = ["--volume", `${join(folder, "cache")}:/root/.npm`];
    const options = ["--isolation", "chroot", "--format", "docker", "--build-arg", "BASE=localhost/base"];
    await buildah("build", ...options, ...cached, "-t", "localhost/pfxbridge", folder);
    container = await buildah("from", "localhost/pfxbridge");
  }, LONG);

  afterAll(async () => {
    await buildah("rm", "--all");
    await rm(folder, { recursive: true, force: true });
  }, LONG);

  it("says how it is run and watched", async () => {
    const { Docker } = JSON.parse(await buildah("inspect", "--type", "image", "localhost/pfxbridge"));
    expect(Docker.config).toMatchObject({
      User: "10001:10001",
      Entrypoint: ["pfxbridge"],
      Cmd: ["serve", "--config", "/etc/pfxbridge/pfxbridge.yaml"],
      Healthcheck: {
        Test: ["CMD", "pfxbridge", "status", "--config", "/etc/pfxbridge/pfxbridge.yaml", "--json"],
      },
      StopSignal: "SIGTERM",
    });
  });

  it("runs as a user who may write in its two folders alone", async () => {
    expect(await run("id", "-u")).toBe("10001");
    await run("touch", "/run/pfxbridge/x", "/var/lib/pfxbridge/x");
    for (const place of ["/etc/pfxbridge/x", "/opt/pfxbridge/x", "/x"]) {
      await expect(run("touch", place)).rejects.toThrow("Permission denied");
    }
  });

  it("answers, is healthy, and ends when it is told to", async () => {
    expect(await run("pfxbridge", "check", "-c", "/etc/pfxbridge/pfxbridge.yaml")).toContain(
      "pfxbridge.yaml",
    );
    const port = await freePort();
    const config = join(folder, "other.yaml");
    writeFileSync(
      config,
      `listen: [inet:127.0.0.1:${port}]\ncontrol: unix:/run/pfxbridge/control\nroutes: [{ action: DUNNO }]\n`,
    );
    await buildah("copy", container, config, "/etc/pfxbridge/pfxbridge.yaml");
    await expect(run("pfxbridge", "status", "--config", "/etc/pfxbridge/pfxbridge.yaml")).rejects.toThrow();

    const script = `pfxbridge serve --config /etc/pfxbridge/pfxbridge.yaml & bridge=$!
      until pfxbridge status --config /etc/pfxbridge/pfxbridge.yaml --json; do :; done 2>/dev/null
      pfxbridge try --to inet:127.0.0.1:${port} sender=a@example.net recipient=b@example.org
      kill $bridge; wait $bridge && echo ended well`;
    const output = await run("sh", "-c", script);
    expect(output).toContain("DUNNO");
    expect(output).toContain("ended well");
  }, 60_000);
});

/** Brings the packages that the image needs into a cache, so that its build asks no registry. */
async function fillCache(folder: string, cache: string): Promise<void> {
  const [archive] = readdirSync(folder).filter((file) => file.endsWith(".tgz"));
  const place = ["--prefix", join(folder, "installed"), "--cache", cache];
  await execute("npm", ["install", "--global", ...place, ...INSTALL, join(folder, archive ?? "")]);
}

/** Programs with the libraries that they need, npm, certificates and accounts. */
async function makeBase(root: string): Promise<void> {
  const npm = (await execute("npm", ["root", "--global"])).stdout.trim();
  const take = (path: string, as = path) => {
    mkdirSync(dirname(join(root, as)), { recursive: true });
    cpSync(realpathSync(path), join(root, as), { recursive: true, verbatimSymlinks: true });
  };
  for (const folder of ["etc", "tmp", "run", "var/lib", "root", "usr/bin", "opt"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  for (const program of [process.execPath, ...PROGRAMS, ...ACCOUNTS]) {
    take(program, program === process.execPath ? "/usr/bin/node" : program);
    const { stdout } = await execute("ldd", [realpathSync(program)]);
    for (const [library] of stdout.matchAll(/\/\S+/g)) take(library);
  }
  take(join(npm, "npm"), "/usr/lib/node_modules/npm");
  writeFileSync(
    join(root, "usr/bin/npm"),
    '#!/bin/sh\nexec node /usr/lib/node_modules/npm/bin/npm-cli.js "$@"\n',
    {
      mode: 0o755,
    },
  );
  const registry = (await execute("npm", ["config", "get", "registry"])).stdout.trim();
  writeFileSync(join(root, "root/.npmrc"), `offline=true\nupdate-notifier=false\nregistry=${registry}\n`);
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
}
