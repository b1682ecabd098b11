/**
 * The Debian package from end to end: built, judged by lintian, installed, started by the command of its unit as the user of its
 * unit, asked, upgraded over a changed configuration, removed, purged. All of it in another root: this machine is left as it was.
 */
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ask } from "../support/ask.ts";
import { type OtherRoot, otherRoot } from "../support/other-root.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService } from "../support/service.ts";
import { freePort, type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";

const CHECKOUT = resolve(import.meta.dirname, "../..");
const REQUEST = { sender: "a@example.net", recipient: "b@example.org" };

describe.skipIf(isMissing("debhelper", "tests of the Debian package"))("the Debian package", () => {
  let folder: TemporaryFolder;
  let service: AuthorizationService;
  let root: OtherRoot;
  let deb: string;
  let port: number;
  let bridge: ChildProcess | undefined;

  const run = async (script: string, ...words: string[]) => {
    const { status, said } = await root.run(script, words);
    if (status !== 0) throw new Error(`${script}: status ${status}\n${said}`);
    return said.trimEnd();
  };

  beforeAll(async () => {
    service = await AuthorizationService.start(() => ({ body: { decision: true } }));
    folder = await temporaryFolder(0o755);
    const { status, stdout, stderr } = spawnSync(
      "node",
      [join(CHECKOUT, "dist/packaging/deb.js"), folder.path],
      {
        encoding: "utf8",
      },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    deb = stdout.trim();
    root = await otherRoot();
    port = await freePort();
    // Where Node.js came by another way than a package, a package says so.
    await run(
      `dpkg-query -W nodejs >/dev/null 2>&1 && exit
mkdir -p /tmp/nodejs/DEBIAN
printf 'Package: nodejs\\nVersion: %s\\nArchitecture: all\\nMaintainer: Test <test@example.org>\\nDescription: there\\n' "$2" >/tmp/nodejs/DEBIAN/control
dpkg-deb -b /tmp/nodejs /tmp/nodejs.deb >/dev/null && dpkg -i /tmp/nodejs.deb
[ -e /usr/bin/node ] || ln -s "$1" /usr/bin/node`,
      process.execPath,
      process.versions.node,
    );
  }, 180_000);
  afterAll(async () => {
    bridge?.kill("SIGKILL");
    await root?.leave();
    await service?.stop();
    await folder?.remove();
  });

  it("has no errors and no warnings for lintian", async () => {
    const args = ["--no-cfg", "--allow-root", "--fail-on", "error,warning", deb];
    const { status, stdout } = spawnSync("lintian", args, { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect((await readdir(folder.path)).filter((file) => file.endsWith(".deb"))).toHaveLength(1);
  }, 120_000);

  it("installs a user, a configuration that only root and it can read, manual pages and completions", async () => {
    await run('dpkg -i "$1"', deb);
    expect(await run("stat -c '%a %U:%G' /etc/pfxbridge /etc/pfxbridge/pfxbridge.yaml")).toBe(
      "755 root:root\n640 root:pfxbridge",
    );
    expect(await run("getent passwd pfxbridge")).toMatch(/:\/var\/lib\/pfxbridge:\S*nologin$/);
    expect(await run("man -w pfxbridge pfxbridge.yaml pfxbridge-mapping")).toMatch(
      /pfxbridge\.1\.gz\n.*yaml\.5\.gz\n.*mapping\.5\.gz$/,
    );
    await run(
      "test -e /usr/share/bash-completion/completions/pfxbridge && test -e /usr/share/zsh/vendor-completions/_pfxbridge",
    );
    expect(await run("pfxbridge mappings")).toContain("authzen");
    expect(await run("pfxbridge check -c /etc/pfxbridge/pfxbridge.yaml 2>&1")).toContain("pdp");
  }, 120_000);

  it("brings a rule for logrotate that holds", async () => {
    await run(
      "mkdir -p /var/log/pfxbridge && chown pfxbridge:pfxbridge /var/log/pfxbridge && echo old >/var/log/pfxbridge/pfxbridge.log",
    );
    await run("chown pfxbridge: /var/log/pfxbridge/pfxbridge.log && logrotate -f /etc/logrotate.d/pfxbridge");
    expect(await run("ls /var/log/pfxbridge")).toBe("pfxbridge.log.1");
  });

  it("answers Postfix, started as its unit says", async () => {
    await run(
      `cat >/etc/pfxbridge/pfxbridge.yaml <<END
listen: [inet:127.0.0.1:$1]
services:
  mine: { url: "$2", cache: { store: lmdb } }
control: unix:/run/pfxbridge/control
END`,
      String(port),
      service.url,
    );
    const unit = await run("cat /lib/systemd/system/pfxbridge.service");
    const [, command = ""] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    const [, user] = /^User=(.*)$/m.exec(unit) ?? [];
    expect(command).toMatch(/^\/usr\/bin\/pfxbridge serve/);
    // What systemd does for StateDirectory= and RuntimeDirectory=.
    await run(
      "install -d -o pfxbridge -g pfxbridge -m 750 /var/lib/pfxbridge && install -d -o pfxbridge -g pfxbridge /run/pfxbridge",
    );
    bridge = root.start(
      `export STATE_DIRECTORY=/var/lib/pfxbridge; exec ${command}`,
      [],
      `${user}:pfxbridge`,
    );
    await vi.waitFor(async () => expect(await ask(port, REQUEST)).toBe("DUNNO"), {
      timeout: 15_000,
      interval: 100,
    });
    expect(await run("pfxbridge status -c /etc/pfxbridge/pfxbridge.yaml")).toContain("mine");
    expect(await run("ls /var/lib/pfxbridge")).toContain("cache.lmdb");
  }, 60_000);

  it("keeps a changed configuration on an upgrade, and goes on answering", async () => {
    const before = await run("cat /etc/pfxbridge/pfxbridge.yaml");
    await run(
      `dpkg-deb -R "$1" /tmp/next && sed -i 's/^Version: .*/&+next/' /tmp/next/DEBIAN/control
echo '# of the next version' >>/tmp/next/etc/pfxbridge/pfxbridge.yaml
(cd /tmp/next && md5sum $(find usr lib etc -type f) >DEBIAN/md5sums) && dpkg-deb --root-owner-group -b /tmp/next /tmp/next.deb`,
      deb,
    );
    await run("dpkg --force-confdef --force-confold -i /tmp/next.deb");
    expect(await run("dpkg-query -W -f '${Version} ${Status}' pfxbridge")).toMatch(
      /\+next install ok installed$/,
    );
    expect(await run("cat /etc/pfxbridge/pfxbridge.yaml")).toBe(before);
    expect(await run("cat /etc/pfxbridge/pfxbridge.yaml.dpkg-dist")).toContain("# of the next version");
    expect(await run("stat -c '%a %U:%G' /etc/pfxbridge/pfxbridge.yaml")).toBe("640 root:pfxbridge");
    expect(await ask(port, REQUEST)).toBe("DUNNO");
  }, 120_000);

  it("leaves configuration and state when it is removed, and takes both in a purge", async () => {
    const ended = once(bridge as ChildProcess, "exit");
    bridge?.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    await run("dpkg -r pfxbridge");
    expect(await run("ls -d /usr/lib/pfxbridge /usr/bin/pfxbridge 2>/dev/null || true")).toBe("");
    expect(await run("ls /etc/pfxbridge /var/lib/pfxbridge")).toMatch(/pfxbridge\.yaml[\s\S]*cache\.lmdb/);
    await run("dpkg -P pfxbridge");
    expect(await run("ls -d /etc/pfxbridge /var/lib/pfxbridge /var/log/pfxbridge 2>/dev/null || true")).toBe(
      "",
    );
  }, 120_000);
});
