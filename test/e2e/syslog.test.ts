/** The log in a real rsyslog: over its local socket, UDP, TCP and TLS, from one process and from workers. */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Program, Site, until } from "../commands/program.ts";
import { REQUEST } from "../commands/workers.ts";
import { isMissing } from "../support/requirement.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { freePort } from "../support/temporary.ts";
import { TestAuthority } from "../upstream/certificates.ts";

/** What rsyslog made of a message. */
interface Taken {
  readonly facility: string;
  readonly severity: string;
  readonly app: string;
  readonly process: string;
  readonly kind: string;
  readonly text: Readonly<Record<string, unknown>>;
}

const FIELDS = {
  facility: "syslogfacility-text",
  severity: "syslogseverity-text",
  app: "app-name",
  process: "procid",
  kind: "msgid",
};

class Rsyslog {
  readonly site: Site;
  readonly ports: { readonly udp: number; readonly tcp: number; readonly tls: number };
  #process: ServerProcess | null = null;

  private constructor(site: Site, ports: Rsyslog["ports"]) {
    this.site = site;
    this.ports = ports;
  }

  static async start(authority: TestAuthority): Promise<Rsyslog> {
    const site = await Site.create({});
    const ports = { udp: await freePort(), tcp: await freePort(), tls: await freePort() };
    const { cert, key } = authority.issue("loghost", "DNS:loghost.example.com");
    const members = Object.entries(FIELDS).map(([name, property]) => `\\"${name}\\":\\"%${property}%\\",`);
    await site.write(
      "rsyslog.conf",
      `
global(workDirectory="${site.folder}" defaultNetstreamDriverCAFile="${authority.certificate}"
  defaultNetstreamDriverCertFile="${cert}" defaultNetstreamDriverKeyFile="${key}")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
module(load="imptcp")
template(name="seen" type="string" string="{${members.join("")}\\"text\\":%msg%}\\n")
input(type="imuxsock" Socket="${site.path("log")}" CreatePath="off")
input(type="imudp" address="127.0.0.1" port="${ports.udp}")
input(type="imptcp" address="127.0.0.1" port="${ports.tcp}")
input(type="imtcp" address="127.0.0.1" port="${ports.tls}")
action(type="omfile" file="${site.path("taken")}" template="seen")
`,
    );
    const own = new Rsyslog(site, ports);
    await own.begin();
    return own;
  }

  async begin(): Promise<void> {
    const { site, ports } = this;
    const parameters = ["-n", "-f", site.path("rsyslog.conf"), "-i", site.path("pid")];
    this.#process = await startServer("rsyslogd", parameters, ports.tls);
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  async taken(): Promise<readonly Taken[]> {
    const text = await readFile(this.site.path("taken"), "utf8").catch(() => "");
    return text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }
}

const COUNT = 200;

describe.skipIf(isMissing("rsyslog", "syslog tests"))("rsyslog", () => {
  let authority: TestAuthority;
  beforeAll(() => {
    authority = new TestAuthority();
  });
  afterAll(() => authority.remove());

  /** A bridge whose log goes there, and where it listens. */
  async function serve(rsyslog: Rsyslog, syslog: unknown, workers: number) {
    const site = await Site.create({});
    const listen = `unix:${site.path("policy")}`;
    await site.write("pfxbridge.yaml", {
      listen: [listen],
      workers,
      routes: [{ action: "DUNNO" }],
      log: { syslog },
    });
    const bridge = new Program(["serve", "-c", site.config]);
    const started = async () => (await rsyslog.taken()).find(({ text }) => text.msg === "started");
    await until("the start", started);
    return { bridge, client: await bridge.connect(listen) };
  }

  const to = ({ site, ports }: Rsyslog) => ({
    unix: { to: `unix:${site.path("log")}` },
    udp: { to: `udp://127.0.0.1:${ports.udp}` },
    tcp: { to: `tcp://127.0.0.1:${ports.tcp}` },
    tls: {
      to: `tls://127.0.0.1:${ports.tls}`,
      tls: {
        ca: authority.certificate,
        ...authority.issue("bridge", "DNS:bridge.example.com"),
        server_name: "loghost.example.com",
      },
    },
  });

  it.each([
    ["unix", 1],
    ["unix", 2],
    ["udp", 1],
    ["tcp", 2],
    ["tls", 1],
    ["tls", 2],
  ] as const)("takes every line over %s, from %i processes", async (kind, workers) => {
    const rsyslog = await Rsyslog.start(authority);
    const { bridge, client } = await serve(rsyslog, { ...to(rsyslog)[kind], facility: "local3" }, workers);
    for (let n = 0; n < COUNT; n++)
      await client.ask({ ...REQUEST, queue_id: `${n}`, sender: "jü@example.net" });
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    const taken = await until("the last line", async () => {
      const lines = await rsyslog.taken();
      return lines.some(({ text }) => text.msg === "stopped") ? lines : undefined;
    });
    const decisions = taken.filter(({ text }) => text.msg === "decision");
    expect(decisions.map(({ text }) => text.queue_id)).toEqual(
      Array.from({ length: COUNT }, (_, n) => `${n}`),
    );
    expect(decisions[0]).toMatchObject({ facility: "local3", severity: "info", app: "pfxbridge" });
    expect(decisions[0]?.process).toMatch(/^\d+$/);
    expect(decisions[0]?.text.sender).toBe("jü@example.net");
    // /dev/log knows no MSGID.
    expect(decisions[0]?.kind).toBe(kind === "unix" ? "-" : "decision");
    expect(bridge.stdout + bridge.stderr).toBe("");
  });

  it.each(["unix", "tls"] as const)(
    "that is away over %s holds no decision up, and gets what came meanwhile",
    async (kind) => {
      const rsyslog = await Rsyslog.start(authority);
      const { bridge, client } = await serve(rsyslog, to(rsyslog)[kind], 1);
      await rsyslog.stop();
      for (let n = 0; n < COUNT; n++) {
        expect(await client.ask({ ...REQUEST, queue_id: `${n}` })).toBe("DUNNO");
      }
      await until("a word about it", () => bridge.stderr.includes("log.syslog: ") || undefined);
      await rsyslog.begin();
      const decisions = await until("all lines", async () => {
        const lines = (await rsyslog.taken()).filter(({ text }) => text.msg === "decision");
        return lines.length >= COUNT ? lines : undefined;
      });
      // What the network had taken before it was known that nobody listens may be lost, or come twice.
      expect(new Set(decisions.map(({ text }) => text.queue_id)).size).toBeGreaterThanOrEqual(COUNT - 1);
      await until("that it is back", async () =>
        (await rsyslog.taken()).find(({ text }) => String(text.msg).endsWith("takes lines again")),
      );
      expect(bridge.stderr.split("log.syslog: ")).toHaveLength(2);
      bridge.signal("SIGTERM");
      expect(await bridge.ended).toBe(0);
    },
  );
});
