/** Whoever owns, or can write, something on the way to a file that root reads, or a module that it runs, decides for root. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, lchownSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { run, Site } from "../commands/program.ts";
import { permitting } from "../commands/services.ts";
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
    "lib/more.js": "",
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
