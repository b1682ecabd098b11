/** Root's rights end before any code of a module runs. These tests need root. */
import { execFileSync } from "node:child_process";
import { chmod, chown, readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install } from "../support/installation.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";
import { Program, run, Site } from "./program.ts";
import { ANY_PORT, permitting } from "./services.ts";

const USER = "nobody";

/** Records who it runs as when it is imported, and answers with what it recorded. */
const RECORDER = `
  const who = JSON.stringify([process.getuid(), process.geteuid(), process.getgid(), process.getgroups()]);
  export const toRequest = () => ({ path: "/", body: "{}" });
  export const toAction = () => "WARN " + who;
`;

function id(...options: string[]): number[] {
  return execFileSync("id", [...options, USER], { encoding: "utf8" })
    .trim()
    .split(" ")
    .map(Number);
}

describe.skipIf(process.geteuid?.() !== 0)("started as root", () => {
  let program: TemporaryFolder;
  /** Where every user can run it. */
  let command: string;

  beforeAll(async () => {
    program = await temporaryFolder(0o755);
    command = await install(program.path);
  });
  afterAll(() => program.remove());

  /** A site that other users can read. */
  async function publicSite(files: Readonly<Record<string, unknown>>): Promise<Site> {
    const site = await Site.create(files, 0o755);
    for (const file of Object.keys(files)) await chmod(site.path(file), 0o644);
    return site;
  }

  it("becomes the user, with its group and supplementary groups, before a module is imported", async () => {
    const { url } = await permitting();
    const site = await publicSite({
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        services: { corp: { url, mapping: "./recorder.mjs" } },
        user: USER,
      },
      "recorder.mjs": RECORDER,
    });
    const bridge = new Program(["serve", "-c", site.config], { command });
    await bridge.logged({ msg: "started" });
    const [uid] = id("-u");
    const [gid] = id("-g");
    const answer = await bridge.ask({ sender: "a@example.net" });
    const [ruid, euid, rgid, groups] = JSON.parse(answer.replace("WARN ", ""));
    expect([ruid, euid, rgid]).toEqual([uid, uid, gid]);
    expect(new Set(groups)).toEqual(new Set(id("-G")));
    expect(bridge.log.filter(({ msg }) => String(msg).includes("running as root"))).toEqual([]);

    // For good: also as the kernel sees it, saved ids and all.
    const status = await readFile(`/proc/${bridge.child.pid}/status`, "utf8");
    expect(status).toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"));
    expect(status).toMatch(new RegExp(`^Gid:\\t${gid}\\t${gid}\\t${gid}\\t${gid}$`, "m"));
  });

  it("so do its workers, which never were root", async () => {
    const { url } = await permitting();
    const site = await publicSite({
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        workers: 2,
        services: { corp: { url, mapping: "./recorder.mjs", auth: { bearer: { file: "password" } } } },
        user: USER,
      },
      "recorder.mjs": RECORDER,
      password: "hunter22",
    });
    // What only root can read is read by the first process alone.
    await chmod(site.path("password"), 0o600);
    const bridge = new Program(["serve", "-c", site.config], { command });
    await bridge.logged({ msg: "started" });
    const [uid] = id("-u");
    const { pid } = bridge.child;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    const processes = [pid, ...children.trim().split(" ")];
    expect(processes).toHaveLength(3);
    for (const process of processes) {
      const status = await readFile(`/proc/${process}/status`, "utf8");
      expect(status).toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"));
    }
    const answer = await bridge.ask({ sender: "a@example.net" });
    expect(JSON.parse(answer.replace("WARN ", ""))[0]).toBe(uid);

    process.kill(Number(processes[1]), "SIGKILL");
    await bridge.logged({ msg: "a worker process has ended and is replaced; its connections are lost" });
    for (let count = 0; count < 4; count++) expect(await bridge.ask({ sender: "a" })).toMatch(/^WARN/);
  });

  it("takes the group that is named", async () => {
    const { url } = await permitting();
    const site = await publicSite({
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        services: { corp: { url, mapping: "./recorder.mjs" } },
        user: USER,
        group: "mail",
      },
      "recorder.mjs": RECORDER,
    });
    const bridge = new Program(["serve", "-c", site.config], { command });
    await bridge.logged({ msg: "started" });
    const [, , gid, groups] = JSON.parse((await bridge.ask({ sender: "a" })).replace("WARN ", ""));
    const mail = Number(execFileSync("id", ["-g", "mail"], { encoding: "utf8" }));
    expect(gid).toBe(mail);
    expect(groups).not.toContain(0);
  });

  it.each(["check", "try"])("%s runs no module as root either", async (name) => {
    const { url } = await permitting();
    const site = await publicSite({
      "pfxbridge.yaml": { services: { corp: { url, mapping: "./recorder.mjs" } }, user: USER },
      "recorder.mjs": `${RECORDER}; console.log("imported by " + process.getuid());`,
    });
    const attributes = name === "try" ? ["sender=a@example.net"] : [];
    const { stdout } = await run([name, "-c", site.config, ...attributes], { command });
    expect(stdout).toContain(`imported by ${id("-u")[0]}`);
  });

  it("binds what only root can, and the socket file gets its owner", async () => {
    const site = await Site.create({}, 0o755);
    const path = site.path("policy");
    await site.write("pfxbridge.yaml", {
      listen: [{ endpoint: `unix:${path}`, mode: "0660", owner: USER, group: "mail" }],
      routes: [{ action: "DUNNO" }],
      user: USER,
    });
    const bridge = new Program(["serve", "-c", site.config], { command });
    await bridge.logged({ msg: "started" });
    const shown = execFileSync("stat", ["-c", "%U %G %a", path], { encoding: "utf8" }).trim();
    expect(shown).toBe(`${USER} mail 660`);
    expect(await bridge.ask({ sender: "a" })).toBe("DUNNO");
  });

  it("loads its configuration again as the user it has become", async () => {
    const site = await publicSite({
      "pfxbridge.yaml": { listen: ANY_PORT, routes: [{ action: "WARN one" }], user: USER },
    });
    const bridge = new Program(["serve", "-c", site.config], { command });
    await bridge.logged({ msg: "started" });
    await site.write("pfxbridge.yaml", { listen: ANY_PORT, routes: [{ action: "WARN two" }], user: USER });
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: "configuration loaded again" });
    expect(await bridge.ask({ sender: "a" })).toBe("WARN two");
    // What only root can read is no configuration for it any more.
    await chmod(site.config, 0o600);
    await chown(site.config, 0, 0);
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: "configuration not loaded, the old one stays in use" });
    expect(await bridge.ask({ sender: "a" })).toBe("WARN two");
  });

  it("warns when it stays root", async () => {
    const site = await Site.create({ "pfxbridge.yaml": { listen: ANY_PORT, routes: [{ action: "DUNNO" }] } });
    const bridge = await Program.serve(site);
    expect(bridge.log).toContainEqual(
      expect.objectContaining({
        level: "warn",
        msg: "running as root: set user: and group: in the configuration",
      }),
    );
  });

  it.each([
    ["a user", { user: "no-such-user" }, 'user: there is no user "no-such-user" on this machine'],
    [
      "a user with a group",
      { user: "no-such-user", group: "root" },
      'user: there is no user "no-such-user" on this machine',
    ],
    [
      "a group",
      { user: USER, group: "no-such-group" },
      'group: there is no group "no-such-group" on this machine',
    ],
    ["root itself", { user: "root" }, 'user: "root" has root\'s rights'],
  ])("says that %s cannot be used, and does not start", async (_name, config, message) => {
    const site = await Site.create({
      "pfxbridge.yaml": { listen: ANY_PORT, routes: [{ action: "DUNNO" }], ...config },
    });
    const ended = await run(["serve", "-c", site.config]);
    expect(ended).toMatchObject({ status: 1, stdout: "" });
    expect(ended.stderr).toMatch(/^pfxbridge: [^\n]+\n$/);
    expect(ended.stderr).toContain(message);
  });

  it.each(["pfxbridge.yaml", "recorder.mjs", "password"])(
    "refuses a %s that others can write",
    async (file) => {
      const site = await Site.create({
        "pfxbridge.yaml": {
          services: {
            corp: {
              url: "http://127.0.0.1:1",
              mapping: "./recorder.mjs",
              auth: { bearer: { file: "password" } },
            },
          },
        },
        "recorder.mjs": RECORDER,
        password: "hunter22",
      });
      await chmod(site.path(file), 0o602);
      for (const name of ["serve", "check"]) {
        const { status, stderr } = await run([name, "-c", site.config]);
        expect(status).toBe(1);
        expect(stderr).toContain(`group or others can write ${site.path(file)}`);
        expect(stderr).not.toMatch(/^ +at /m);
      }
    },
  );

  it("takes no configuration from the working directory", async () => {
    const site = await Site.create({ "pfxbridge.yaml": { listen: ANY_PORT, routes: [{ action: "OK" }] } });
    for (const args of [["serve"], ["try", "sender=a"]]) {
      const { status, stdout, stderr } = await run(args, { cwd: site.folder });
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toContain(
        "as root a configuration in the working directory is used only when named: -c pfxbridge.yaml",
      );
    }
  });
});
