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
import { startRedis } from "../support/redis.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService } from "../support/service.ts";
import { freePort, type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";

const CHECKOUT = resolve(import.meta.dirname, "../..");
const REQUEST = { sender: "a@example.net", recipient: "b@example.org" };
/** The service manager's end of NOTIFY_SOCKET. */
const MANAGER = `import os, socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
while True: print(manager.recv(65536).decode(), flush=True)`;

const LACKS =
  isMissing("debhelper", "tests of the Debian package") || isMissing("redis", "tests of the Debian package");

describe.skipIf(LACKS)("the Debian package", () => {
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
    service = await AuthorizationService.start(({ url }) =>
      url === "/token"
        ? { body: { access_token: "a-token-of-the-test", token_type: "Bearer", expires_in: 3600 } }
        : { body: { decision: true } },
    );
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
    expect(await run("stat -c '%a %U:%G' /var/lib/pfxbridge /var/log/pfxbridge")).toBe(
      "750 pfxbridge:pfxbridge\n750 pfxbridge:pfxbridge",
    );
    expect(await run("pfxbridge check -c /etc/pfxbridge/pfxbridge.yaml 2>&1")).toContain("pdp");
  }, 120_000);

  it("brings a rule for logrotate that holds", async () => {
    const folder = "/var/log/pfxbridge";
    await run(`echo old >${folder}/pfxbridge.log && chown pfxbridge: ${folder}/pfxbridge.log`);
    await run("logrotate -f /etc/logrotate.d/pfxbridge");
    expect(await run(`ls ${folder}`)).toBe("pfxbridge.log.1");
  });

  it("answers Postfix, started as its unit says", async () => {
    await run(
      `cat >/etc/pfxbridge/pfxbridge.yaml <<END
listen: [inet:127.0.0.1:$1]
services:
  mine: { url: "$2", cache: { store: lmdb } }
control: unix:/run/pfxbridge/control
log: { file: /var/log/pfxbridge/pfxbridge.log }
END`,
      String(port),
      service.url,
    );
    const unit = await run("cat /lib/systemd/system/pfxbridge.service");
    const [, command = ""] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    const [, user] = /^User=(.*)$/m.exec(unit) ?? [];
    expect(command).toMatch(/^\/usr\/bin\/pfxbridge serve/);
    // What systemd does for RuntimeDirectory=.
    await run("install -d -o pfxbridge -g pfxbridge /run/pfxbridge");
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
    // logrotate moves the file; SIGUSR1, as its rule has systemd send, opens it anew.
    const file = "/var/log/pfxbridge/pfxbridge.log";
    await run("logrotate -f /etc/logrotate.d/pfxbridge");
    bridge.kill("SIGUSR1");
    await vi.waitFor(() => run(`test -e ${file}`), { timeout: 10_000, interval: 100 });
    await ask(port, REQUEST);
    await vi.waitFor(async () => expect(await run(`cat ${file}`)).toContain('"msg":"decision"'), {
      timeout: 10_000,
      interval: 100,
    });
    expect(await run(`stat -c %U ${file}`)).toBe("pfxbridge");
    expect(await run(`cat ${file}.1`)).toContain('"msg":"started"');
    expect(await run("ls /var/lib/pfxbridge")).toContain("cache.lmdb");
  }, 60_000);

  it("has with it what is loaded only where it is used", async () => {
    const redis = await startRedis();
    const [policy, admin] = [await freePort(), await freePort()];
    await run(
      `cat >/tmp/all.yaml <<END
listen: [inet:127.0.0.1:$1]
admin: inet:127.0.0.1:$2
log: { format: pretty }
services:
  kept:
    url: "$3"
    cache: { store: "lmdb:/var/lib/pfxbridge/all.lmdb" }
    auth: { oauth2: { token_url: "$3/token", client_id: test, client_secret: a-secret-of-the-test } }
  shared: { url: "$3", cache: { store: "redis://127.0.0.1:$4" } }
  soap: { url: "$3", mapping: soap }
routes:
  - { when: 'sender == "shared@example.net"', service: shared }
  - { when: 'sender == "soap@example.net"', service: soap }
  - service: kept
END
chown root:pfxbridge /tmp/all.yaml && chmod 640 /tmp/all.yaml`,
      ...[policy, admin].map(String),
      service.url,
      String(redis.port),
    );
    const heard: string[] = [];
    const manager = root.start('exec python3 -c "$1" /run/manager', [MANAGER]);
    manager.stdout?.setEncoding("utf8").on("data", (text: string) => heard.push(text));
    await vi.waitFor(() => run("test -S /run/manager"), { timeout: 10_000, interval: 100 });
    const said: string[] = [];
    const all = root.start(
      `export NOTIFY_SOCKET=/run/manager OTEL_EXPORTER_OTLP_ENDPOINT="$1/otlp" OTEL_BSP_SCHEDULE_DELAY=100
exec pfxbridge serve -c /tmp/all.yaml`,
      [service.url],
      "pfxbridge:pfxbridge",
    );
    for (const stream of [all.stdout, all.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => said.push(text));
    try {
      await vi.waitFor(() => expect(heard.join("")).toContain("READY=1"), { timeout: 20_000, interval: 100 });
      expect(await ask(policy, REQUEST)).toBe("DUNNO");
      expect(await ask(policy, { ...REQUEST, sender: "shared@example.net" })).toBe("DUNNO");
      // The reply is no SOAP: what reads XML has said so.
      expect(await ask(policy, { ...REQUEST, sender: "soap@example.net" })).toMatch(/^DEFER/);
      expect(
        service.calls.some(({ headers }) => headers.authorization === "Bearer a-token-of-the-test"),
      ).toBe(true);
      await vi.waitFor(() => expect(Number(redis.cli("DBSIZE"))).toBeGreaterThan(0), { timeout: 10_000 });
      await vi.waitFor(() => expect(service.calls.map(({ url }) => url)).toContain("/otlp/v1/traces"), {
        timeout: 10_000,
      });
      expect(await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text()).toMatch(
        /^pfxbridge_decisions_total\{.*service="kept"/m,
      );
      await run("test -s /var/lib/pfxbridge/all.lmdb");
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${said.join("")}`, { cause: error });
    } finally {
      const ended = once(all, "exit");
      all.kill("SIGTERM");
      await ended;
      manager.kill("SIGTERM");
      await redis.stop();
    }
    expect(said.join("")).not.toMatch(/cannot be (found|loaded)|^\{"level"/m);
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
