/** Root's rights end before any code of a module runs. These tests need root. */
import { execFileSync } from "node:child_process";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { install } from "../support/installation.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";
import { TestAuthority } from "../upstream/certificates.ts";
import { Program, run, Site } from "./program.ts";
import { ANY_PORT, permitting } from "./services.ts";

const USER = "nobody";
const GROUP = "nogroup";

/** Records who it runs as when it is imported, and answers with what it recorded. */
const RECORDER = `
  const who = JSON.stringify([process.getuid(), process.geteuid(), process.getgid(), process.getgroups()]);
  export const toRequest = () => ({ path: "/", body: "{}" });
  export const toAction = () => "WARN " + who;
`;

/** Of an authority, in PEM. */
async function certificate(): Promise<string> {
  const authority = new TestAuthority();
  onTestFinished(() => authority.remove());
  return await readFile(authority.certificate, "utf8");
}

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

  describe("files that the user cannot read", () => {
    /** Each file that a configuration reads, alone out of the user's reach, and the command that mends it. */
    it.each(["pfxbridge.yaml", "mine.yaml", "password", "warm.jsonl"])("%s", async (name) => {
      const site = await publicSite({
        "pfxbridge.yaml": {
          listen: ANY_PORT,
          services: {
            corp: {
              url: "https://127.0.0.1:1",
              mapping: "./mine.yaml",
              auth: { bearer: { file: "password" } },
              cache: { ttl: "1m" },
              warm: "warm.jsonl",
            },
          },
          user: USER,
        },
        "mine.yaml": { request: { path: "/" }, response: [{ when: "status == 200", action: "DUNNO" }] },
        password: "hunter22",
        "warm.jsonl": "",
      });
      const path = site.path(name);
      await chmod(path, 0o600);
      const mend = `chgrp ${GROUP} ${path} && chmod g+r ${path}`;
      const message = `a reload will fail: user ${USER} cannot read ${path}; ${mend}`;
      const checked = await run(["check", "-c", site.config], { command });
      expect(checked).toMatchObject({ status: 0, stderr: "" });
      expect(checked.stdout).toContain(message);

      const bridge = new Program(["serve", "-c", site.config], { command });
      const logged = await bridge.logged({ msg: message });
      expect(logged).toMatchObject({ level: "warn" });
      await bridge.logged({ msg: "started" });
      bridge.signal("SIGHUP");
      await bridge.logged({ msg: "configuration not loaded, the old one stays in use" });
      expect(bridge.log.map(({ msg }) => String(msg)).join("\n")).toContain(
        `user ${USER} cannot read ${path}; ${mend}`,
      );

      // What was said mends it.
      execFileSync("sh", ["-c", mend]);
      bridge.signal("SIGHUP");
      await bridge.logged({ msg: "configuration loaded again" });
      expect((await run(["check", "-c", site.config], { command })).stdout).not.toContain(
        "a reload will fail",
      );
    });

    it("certificates, without which it does not start", async () => {
      const site = await publicSite({
        "pfxbridge.yaml": {
          listen: ANY_PORT,
          services: { corp: { url: "https://127.0.0.1:1", mapping: "authzen", tls: { ca: "ca.pem" } } },
          user: USER,
        },
        "ca.pem": await certificate(),
      });
      const path = site.path("ca.pem");
      await chmod(path, 0o600);
      const problem = `user ${USER} cannot read ${path}; chgrp ${GROUP} ${path} && chmod g+r ${path}`;
      const { stdout } = await run(["check", "-c", site.config], { command });
      expect(stdout).toContain(`the bridge will not start: ${problem}`);
      const { status, stderr } = await run(["serve", "-c", site.config], { command });
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: `pfxbridge: tls.ca cannot be read: ${problem}\n`,
      });
    });

    it("names the folder that is closed to it", async () => {
      const site = await publicSite({
        "pfxbridge.yaml": {
          listen: ANY_PORT,
          services: {
            corp: {
              url: "http://127.0.0.1:1",
              mapping: "authzen",
              auth: { bearer: { file: "kept/secrets/password" } },
            },
          },
          user: USER,
        },
      });
      const closed = site.path("kept");
      await mkdir(site.path("kept/secrets"), { recursive: true });
      await writeFile(site.path("kept/secrets/password"), "hunter22", { mode: 0o644 });
      await chmod(closed, 0o700);
      const { stdout } = await run(["check", "-c", site.config], { command });
      expect(stdout).toContain(
        `user ${USER} cannot enter ${closed}, a folder on the way to ${site.path("kept/secrets/password")}; chgrp ${GROUP} ${closed} && chmod g+x ${closed}`,
      );
    });

    it("a module, or what it imports, is named with the command that mends it", async () => {
      const site = await publicSite({
        "pfxbridge.yaml": {
          listen: ANY_PORT,
          services: { corp: { url: "http://127.0.0.1:1", mapping: "./mine.mjs" } },
          user: USER,
        },
        "mine.mjs": 'export * from "./part.mjs";',
        "part.mjs": RECORDER,
      });
      for (const name of ["part.mjs", "mine.mjs"]) {
        const path = site.path(name);
        await chmod(path, 0o600);
        for (const verb of ["check", "serve"]) {
          const { status, stdout, stderr } = await run([verb, "-c", site.config], { command });
          expect(status).toBe(1);
          expect(stdout + stderr).toContain(
            `user ${USER} cannot read ${path}; chgrp ${GROUP} ${path} && chmod g+r ${path}`,
          );
        }
      }
    });
  });

  describe("places where the user cannot write", () => {
    it("log file, store and state, and folders of sockets, which check names with what to do", async () => {
      const site = await publicSite({});
      const [log, store, state] = ["bridge.log", "store/cache.lmdb", "kept/state"].map((name) =>
        site.path(name),
      );
      await mkdir(site.path("kept"));
      await site.write("pfxbridge.yaml", {
        listen: [`unix:${site.path("policy")}`],
        control: { endpoint: `unix:${site.path("control")}`, state },
        services: {
          corp: {
            url: "http://127.0.0.1:1",
            mapping: "authzen",
            cache: { ttl: "1m", store: `lmdb:${store}` },
          },
        },
        log: { file: log },
        user: USER,
      });
      await chmod(site.config, 0o644);
      const { status, stdout } = await run(["check", "-c", site.config], { command });
      expect(status).toBe(0);
      const mend = `install -o ${USER} -m 0640 /dev/null ${log}`;
      const mendStore = `install -d -o ${USER} -m 0750 ${site.path("store")}`;
      expect(stdout).toContain(
        `log.file: the bridge will not start: user ${USER} cannot make ${log}; ${mend}`,
      );
      expect(stdout).toContain(
        `will forget what is remembered: user ${USER} cannot make ${site.path("store")}; ${mendStore}`,
      );
      expect(stdout).toContain(`${state} cannot be written (EACCES)`);
      expect(stdout).toContain(`user ${USER} cannot write in ${site.folder}: what is bound there stays`);

      const ended = await run(["serve", "-c", site.config], { command });
      expect(ended.stderr).toContain(`log.file: user ${USER} cannot make ${log}; ${mend}`);

      execFileSync("sh", ["-c", `${mend} && ${mendStore}`]);
      const again = await run(["check", "-c", site.config], { command });
      expect(again.stdout).not.toMatch(/log\.file|will forget what is remembered/);
    });

    it("says nothing of a bridge that stays root, nor of what its user can write", async () => {
      const site = await publicSite({});
      await site.write("pfxbridge.yaml", {
        listen: ANY_PORT,
        services: { corp: { url: "http://127.0.0.1:1", mapping: "authzen" } },
        log: { file: "bridge.log" },
      });
      const { stdout } = await run(["check", "-c", site.config], { command });
      expect(stdout).not.toMatch(/user \S+ cannot/);
    });
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
