/** Whoever owns, or can write, something on the way to a file that root reads, or a module that it runs, decides for root. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { Program, run, Site } from "../commands/program.ts";
import { ANY_PORT, permitting } from "../commands/services.ts";
import { TestAuthority } from "../upstream/certificates.ts";
import { ATTACKER, attackerId, giveToAttacker, mustSkip } from "./attacker.ts";

const MODULE = `
  export const toRequest = () => ({ path: "/", body: "{}" });
  export const toAction = () => "DUNNO";
  console.log("run by " + process.geteuid());
`;
const REFUSED = /so root does not use it/;

/** `etc` in a site of root's, with everything that a configuration can name. */
async function site(own: object = {}): Promise<Site> {
  const { url } = await permitting();
  const made = await Site.create({}, 0o755);
  mkdirSync(made.path("etc"));
  mkdirSync(made.path("etc/lib"));
  mkdirSync(made.path("etc/node_modules"));
  mkdirSync(made.path("etc/node_modules/kit"));
  await made.write("etc/pfxbridge.yaml", {
    services: {
      module: { url, mapping: "./module.mjs", auth: { bearer: { file: "token" } }, cache: {}, warm: "warm" },
      file: { url, mapping: "./mapping.yaml" },
    },
    routes: [{ service: "module" }],
    ...own,
  });
  const call = { request: { path: "/" }, response: [{ when: "status == 200", action: "DUNNO" }] };
  await made.write("etc/mapping.yaml", call);
  const texts = {
    "module.mjs": `import "./lib/part.mjs"; import("kit"); ${MODULE}`,
    "lib/part.mjs": 'import { createRequire } from "node:module"; createRequire(import.meta.url)("./more");',
    "lib/more.cjs": "",
    "lib/more.js": 'require("./last")',
    "lib/last": 'require("./very-last.js")',
    "lib/very-last.js": "",
    "package.json": "{}",
    "node_modules/kit/package.json": '{ "name": "kit", "main": "./main.js" }',
    "node_modules/kit/main.js": "",
    token: "token-of-roots\n",
    warm: "",
  };
  for (const [name, text] of Object.entries(texts))
    writeFileSync(made.path(`etc/${name}`), text, { mode: 0o644 });
  for (const name of ["pfxbridge.yaml", "mapping.yaml"]) chmodSync(made.path(`etc/${name}`), 0o644);
  return made;
}

const check = (made: Site, file = "etc/pfxbridge.yaml") => run(["check", "-c", made.path(file)]);

const FILES = [
  "pfxbridge.yaml",
  "mapping.yaml",
  "module.mjs",
  "lib/part.mjs",
  "lib/more.js",
  "lib/very-last.js",
  "package.json",
  "node_modules/kit/main.js",
  "token",
  "warm",
];

describe.skipIf(mustSkip("files in others' hands"))("what root reads", () => {
  it("is used where all of it is root's", async () => {
    const { status, stdout, stderr } = await check(await site());
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain("run by");
  });

  it.each(FILES)("is refused when %s is another's", async (name) => {
    const made = await site();
    giveToAttacker(made.path(`etc/${name}`));
    const { status, stdout, stderr } = await check(made);
    expect(status).toBe(1);
    expect(stderr).toContain(`belongs to user ${attackerId()}`);
    expect(stderr).toMatch(REFUSED);
    expect(stdout).not.toContain("run by");
  });

  it.each(FILES)("is refused when an access control list lets another write %s", async (name) => {
    const made = await site();
    execFileSync("setfacl", ["-m", `u:${ATTACKER}:rw`, made.path(`etc/${name}`)]);
    const { status, stdout, stderr } = await check(made);
    expect(status).toBe(1);
    expect(stderr).toContain("group or others can write");
    expect(stdout).not.toContain("run by");
  });

  it("is used when an access control list lets another read it", async () => {
    const made = await site();
    for (const name of FILES) execFileSync("setfacl", ["-m", `u:${ATTACKER}:r`, made.path(`etc/${name}`)]);
    expect(await check(made)).toMatchObject({ status: 0, stderr: "" });
  });

  it.each(["etc", "etc/lib", "etc/node_modules", "etc/node_modules/kit"])(
    "is refused when the folder %s is another's",
    async (name) => {
      const made = await site();
      giveToAttacker(made.path(name));
      const { status, stdout, stderr } = await check(made);
      expect(status).toBe(1);
      expect(stderr).toMatch(REFUSED);
      expect(stdout).not.toContain("run by");
    },
  );

  it.each([
    ["everybody can write it", (path: string) => chmodSync(path, 0o777)],
    ["it is another's", giveToAttacker],
    [
      "an access control list lets another write it",
      (path: string) => execFileSync("setfacl", ["-m", `u:${ATTACKER}:rwx`, path]),
    ],
  ])("is refused below a grandparent when %s", async (_, spoil) => {
    const made = await site();
    mkdirSync(made.path("open"));
    mkdirSync(made.path("open/between"));
    renameSync(made.path("etc"), made.path("open/between/etc"));
    spoil(made.path("open"));
    const { status, stderr } = await check(made, "open/between/etc/pfxbridge.yaml");
    expect(status).toBe(1);
    expect(stderr).toMatch(REFUSED);
  });

  it("is refused through a link that is another's, or in a folder of another's", async () => {
    const made = await site();
    symlinkSync("etc/pfxbridge.yaml", made.path("link"));
    expect(await check(made, "link")).toMatchObject({ status: 1 });
    // Its relative names start where the link lies; a link to the folder is used as it is.
    symlinkSync("etc", made.path("linked"));
    expect(await check(made, "linked/pfxbridge.yaml")).toMatchObject({ status: 0, stderr: "" });
    lchownSync(made.path("linked"), attackerId(), 0);
    expect((await check(made, "linked/pfxbridge.yaml")).stderr).toMatch(REFUSED);
    mkdirSync(made.path("theirs"));
    symlinkSync("../etc", made.path("theirs/link"));
    giveToAttacker(made.path("theirs"));
    expect((await check(made, "theirs/link/pfxbridge.yaml")).stderr).toMatch(REFUSED);
  });

  it("is used in a folder with the sticky bit where it is root's, and refused where it is another's", async () => {
    const made = await site();
    chmodSync(made.path("etc"), 0o1777);
    expect(await check(made)).toMatchObject({ status: 0, stderr: "" });
    giveToAttacker(made.path("etc/module.mjs"));
    const { status, stdout, stderr } = await check(made);
    expect(status).toBe(1);
    expect(stderr).toMatch(REFUSED);
    expect(stdout).not.toContain("run by");
  });

  it.each([
    ["a package.json that says it is the package", "etc/package.json"],
    ["a package before the one that is root's", "etc/node_modules"],
  ])("is refused in a folder with the sticky bit where others can put %s", async (_, name) => {
    const made = await site();
    mkdirSync(made.path("node_modules"));
    renameSync(made.path("etc/node_modules/kit"), made.path("node_modules/kit"));
    writeFileSync(made.path("package.json"), "{}");
    expect(await check(made)).toMatchObject({ status: 0, stderr: "" });
    rmSync(made.path(name), { recursive: true });
    expect(await check(made)).toMatchObject({ status: 0, stderr: "" });
    chmodSync(made.path("etc"), 0o1777);
    const { status, stdout, stderr } = await check(made);
    expect(status).toBe(1);
    expect(stderr).toMatch(/others can put files into .*where the package kit is looked for/);
    expect(stdout).not.toContain("run by");
  });

  it("is refused where a relative import goes through a link to what is another's", async () => {
    const made = await site();
    mkdirSync(made.path("elsewhere"));
    renameSync(made.path("etc/lib"), made.path("elsewhere/lib"));
    symlinkSync("../elsewhere/lib", made.path("etc/lib"));
    expect(await check(made)).toMatchObject({ status: 0, stderr: "" });
    // From there on what is relative is beside the file, not beside the link.
    for (const name of ["elsewhere/lib/more.js", "elsewhere/lib", "elsewhere"]) {
      giveToAttacker(made.path(name));
      const { status, stdout, stderr } = await check(made);
      expect({ name, status }).toEqual({ name, status: 1 });
      expect(stderr).toMatch(REFUSED);
      expect(stdout).not.toContain("run by");
      chownSync(made.path(name), 0, 0);
    }
  });

  it("is refused where the package is another's that says it is the package", async () => {
    const made = await site();
    rmSync(made.path("etc/package.json"));
    writeFileSync(made.path("package.json"), '{ "name": "kit", "exports": "./kit.mjs" }');
    writeFileSync(made.path("kit.mjs"), 'console.log("run by them");');
    expect(await check(made)).toMatchObject({ status: 0 });
    for (const name of ["kit.mjs", "package.json"]) {
      giveToAttacker(made.path(name));
      const { status, stdout, stderr } = await check(made);
      expect({ name, status }).toEqual({ name, status: 1 });
      expect(stderr).toMatch(REFUSED);
      expect(stdout).not.toContain("run by");
    }
  });

  it("is refused where a file that a module imports is not there, and others can put it there", async () => {
    const made = await site();
    mkdirSync(made.path("open"));
    chmodSync(made.path("open"), 0o1777);
    writeFileSync(
      made.path("etc/module.mjs"),
      `try { await import(${JSON.stringify(made.path("open/own.mjs"))}); } catch {}${MODULE}`,
    );
    const { status, stderr } = await check(made);
    expect(status).toBe(1);
    expect(stderr).toMatch(/others can put .*own\.mjs there, which is imported/);
  });

  it("may be the user's that root becomes, and nobody else's", async () => {
    const own = await site({ user: ATTACKER });
    for (const name of [...FILES, "", "lib"]) giveToAttacker(own.path(`etc/${name}`));
    expect(await check(own)).toMatchObject({ status: 0, stderr: "" });
    chownSync(own.path("etc/token"), 1, 1);
    expect((await check(own)).stderr).toContain("belongs to user 1,");
  });

  it.each(["ca", "cert", "key"] as const)("is refused when the %s of tls is another's", async (key) => {
    const made = await site();
    const { url } = await permitting();
    const authority = new TestAuthority();
    onTestFinished(() => authority.remove());
    const tls = { ca: authority.certificate, ...authority.issue("bridge", "DNS:bridge") };
    await made.write("etc/pfxbridge.yaml", { services: { corp: { url, tls } } });
    expect((await check(made)).status).toBe(0);
    giveToAttacker(tls[key]);
    expect((await check(made)).stderr).toMatch(REFUSED);
  });
});

describe.skipIf(mustSkip("files that change hands"))("what root reads again", () => {
  it("is not used where it has become another's since: an authority of tls, and a secret", async () => {
    const made = await site();
    const [authority, theirs] = [new TestAuthority(), new TestAuthority()];
    onTestFinished(() => {
      for (const one of [authority, theirs]) one.remove();
    });
    const ca = made.path("etc/ca.pem");
    writeFileSync(ca, readFileSync(authority.certificate), { mode: 0o644 });
    await made.write("pfxbridge.yaml", {
      listen: ANY_PORT,
      services: {
        corp: { url: "https://127.0.0.1:1", tls: { ca }, auth: { bearer: { file: made.path("etc/token") } } },
      },
    });
    const bridge = await Program.serve(made);
    for (const [name, text] of [
      ["ca.pem", readFileSync(theirs.certificate, "utf8")],
      ["token", "token-of-theirs\n"],
    ] as const) {
      writeFileSync(made.path(`etc/${name}`), text);
      giveToAttacker(made.path(`etc/${name}`));
    }
    const refused = (what: RegExp) => () =>
      bridge.log.map((line) => JSON.stringify(line)).some((line) => what.test(line) && REFUSED.test(line));
    await expect.poll(refused(/changed files? of tls/), { timeout: 15_000 }).toBe(true);
    await expect.poll(refused(/changed file of a secret/), { timeout: 15_000 }).toBe(true);
    expect(bridge.stdout).not.toMatch(/in use: .*ca\.pem|file of a secret is in use/);
  });
});

describe.skipIf(mustSkip("modules"))("a module that root has checked or tried", () => {
  it.each([
    ["check", undefined],
    ["check", "mail"],
    ["try", undefined],
    ["try", "mail"],
  ])("runs in %s as another, with user %s", async (command, user) => {
    const made = await site(user === undefined ? {} : { user });
    const attributes = command === "try" ? ["sender=a@example.net"] : [];
    const { stdout } = await run([command, "-c", made.path("etc/pfxbridge.yaml"), ...attributes]);
    const uid = execFileSync("id", ["-u", user ?? "nobody"], { encoding: "utf8" }).trim();
    expect(stdout).toContain(`run by ${uid}`);
    expect(stdout).not.toContain("run by 0");
  });

  it("runs as another in check MODULE, too", async () => {
    const made = await site();
    const { stdout } = await run(["check", made.path("etc/module.mjs")]);
    expect(stdout).toContain(`run by ${attackerId()}`);
  });
});
