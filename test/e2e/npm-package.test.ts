/**
 * What `npm pack` makes: installed with npm by another user, with no build, it checks, tries and shows its demo. And what npm's
 * commands say in a checkout where nothing is installed.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chown, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { userIds } from "../support/postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService } from "../support/service.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";

const CHECKOUT = resolve(import.meta.dirname, "../..");

describe("a checkout where nothing is installed", () => {
  let folder: TemporaryFolder;

  beforeAll(async () => {
    folder = await temporaryFolder();
    for (const file of ["package.json", "package-lock.json", "packaging"])
      await cp(join(CHECKOUT, file), join(folder.path, file), { recursive: true });
  });
  afterAll(() => folder?.remove());

  const npm = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync("npm", args, { cwd: folder.path, encoding: "utf8" });
    return { status, said: stdout + stderr };
  };

  it("says what `npm pack` needs", () => {
    const { status, said } = npm("pack");
    expect(said).toContain("npm ci && npm pack");
    expect(status).not.toBe(0);
  });

  it("says what `npm install -g .` needs", () => {
    const { status, said } = npm("install", "-g", "--prefix", join(folder.path, "prefix"), ".");
    expect(said).toContain("npm ci && npm pack && npm install -g ./pfxbridge-*.tgz");
    expect(status).not.toBe(0);
  });

  it("says after `npm ci --omit=dev` that nothing is built", () => {
    const { status, said } = npm("ci", "--omit=dev", "--no-audit", "--no-fund");
    expect(said).toContain("nothing is built, since that takes the development dependencies: npm ci");
    expect(status).toBe(0);
  }, 120_000);
});

describe.skipIf(isMissing("root", "tests of the npm package, installed as another user,"))(
  "the npm package",
  () => {
    const WHO = "nobody";
    let folder: TemporaryFolder;
    let service: AuthorizationService;
    let ids: { uid: number; gid: number };
    let home: string;

    /** Runs a command as that user, in a folder of theirs, with nothing of the checkout around. */
    const run = async (command: string, ...args: string[]) => {
      const env = {
        PATH: process.env.PATH,
        HOME: home,
        npm_config_cache: join(home, "cache"),
        // Whom Node trusts on this machine.
        ...(process.env.NODE_EXTRA_CA_CERTS && { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS }),
      };
      // Not spawnSync: the service that is asked runs in this process.
      const child = spawn(command, args, {
        cwd: home,
        env,
        stdio: ["ignore", "pipe", "pipe"],
        timeout: 100_000,
        ...ids,
      });
      const [stdout, stderr, [status]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, "exit"),
      ]);
      return { status, stdout, stderr };
    };
    const installed = (...path: string[]) => join(home, "prefix", ...path);

    beforeAll(async () => {
      service = await AuthorizationService.start(() => ({ body: { decision: true } }));
      folder = await temporaryFolder(0o755);
      ids = await userIds(WHO);
      home = join(folder.path, "home");
      await mkdir(home);
      await chown(home, ids.uid, ids.gid);

      // Whom npm trusts on this machine may stand in a file that --prefix has it look for elsewhere.
      const cafile = spawnSync("npm", ["config", "get", "cafile"], { encoding: "utf8" }).stdout.trim();
      if (cafile !== "null") await writeFile(join(home, ".npmrc"), `cafile=${cafile}\n`);
      const pack = spawnSync("npm", ["pack", "--ignore-scripts", "--pack-destination", folder.path], {
        cwd: CHECKOUT,
        encoding: "utf8",
      });
      expect(pack).toMatchObject({ status: 0 });
      const [tarball = ""] = (await readdir(folder.path)).filter((file) => file.endsWith(".tgz"));
      const outcome = await run(
        "npm",
        "install",
        "-g",
        "--prefix",
        installed(),
        "--no-audit",
        "--no-fund",
        join(folder.path, tarball),
      );
      expect(outcome).toMatchObject({ status: 0 });
    }, 180_000);
    afterAll(async () => {
      await service?.stop();
      await folder?.remove();
    });

    it("brings mappings, manual pages, completions, examples and what it is made of", async () => {
      const root = installed("lib/node_modules/pfxbridge");
      for (const file of [
        "mappings/authzen.yaml",
        "mappings/README.md",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "dist/share/completions/pfxbridge.bash",
        "dist/share/completions/_pfxbridge",
      ])
        expect((await readFile(join(root, file), "utf8")).length).toBeGreaterThan(100);
      expect(await readFile(installed("share/man/man1/pfxbridge.1"), "utf8")).toMatch(/\n\.TH PFXBRIDGE 1 /);
    });

    it("says in CycloneDX what it is made of: production dependencies and their versions", async () => {
      const sbom = JSON.parse(
        await readFile(installed("lib/node_modules/pfxbridge/dist/share/sbom.cdx.json"), "utf8"),
      );
      const lock = JSON.parse(await readFile(join(CHECKOUT, "package-lock.json"), "utf8"));
      const production = Object.entries<{ dev?: true; devOptional?: true; version: string }>(lock.packages)
        .filter(([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional)
        .map(
          ([path, { version }]) =>
            `pkg:npm/${path.split("node_modules/").at(-1)?.replace("@", "%40")}@${version}`,
        );
      expect(sbom).toMatchObject({
        bomFormat: "CycloneDX",
        metadata: { component: { type: "application", name: "pfxbridge" } },
      });
      const listed = sbom.components.map(({ purl }: { purl: string }) => purl);
      expect([...new Set(listed)].sort()).toEqual([...new Set(production)].sort());
    });

    it("checks a configuration, and tries a decision", async () => {
      const config = join(home, "pfxbridge.yaml");
      await writeFile(
        config,
        `services:\n  pdp:\n    url: ${service.url}\n    cache: { store: lmdb:${home}/cache.lmdb }\n`,
      );
      expect(await run(installed("bin/pfxbridge"), "check")).toMatchObject({ status: 0 });
      const outcome = await run(
        installed("bin/pfxbridge"),
        "try",
        "sender=a@example.net",
        "recipient=b@example.org",
      );
      expect(outcome).toMatchObject({ status: 0, stdout: expect.stringContaining("DUNNO") });
    });

    it("shows its demo", async () => {
      const child = spawn(installed("bin/pfxbridge"), ["demo"], {
        cwd: home,
        ...ids,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const ended = new Promise((done) => child.once("exit", done));
      try {
        // Another demo may be running on this machine: its port is fixed.
        const said = await new Promise<string>((found) => {
          let all = "";
          for (const stream of [child.stdout, child.stderr])
            stream.on("data", (chunk) => {
              all += chunk;
              if (/127\.0\.0\.1:9998|in use/.test(all)) found(all);
            });
        });
        expect(said).toMatch(/127\.0\.0\.1:9998/);
      } finally {
        child.kill();
        await ended;
      }
    });
  },
);
