/** Sockets that systemd hands over, by its own systemd-socket-activate and by a holder. Needs `npm run build` first. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { PolicyClient } from "../support/policy-client.ts";
import { isMissing } from "../support/requirement.ts";
import { freePort } from "../support/temporary.ts";
import { COMMAND, logLines, Site, until } from "./program.ts";

const REQUEST = { request: "smtpd_access_policy", sender: "a@example.net", recipient: "b@example.org" };
const HOLDER = resolve(import.meta.dirname, "holder.py");
const NO_SYSTEMD = isMissing("systemd", "tests of socket activation");
const ROUTES = [{ when: 'listener == "second"', action: "WARN second" }, { action: "WARN first" }];
const SERVE = [process.execPath, COMMAND, "serve", "-c"];

/** A program that starts the bridge; ended, and the bridge with it, by its process id. */
class Starter {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  output = "";

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.ended = once(this.child, "close");
    for (const stream of [this.child.stdout, this.child.stderr]) {
      (stream as Readable).setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    onTestFinished(async () => {
      this.child.kill("SIGTERM");
      await this.ended;
    });
  }

  get starts(): number {
    return logLines(this.output.replace(/^[^{].*\n/gm, "")).filter(({ msg }) => msg === "started").length;
  }

  /** The log line that says that the bridge is started, so many times. */
  async started(times = 1) {
    await until(`${times} starts in ${this.output}`, () => this.starts >= times);
    return logLines(this.output.replace(/^[^{].*\n/gm, "")).findLast(({ msg }) => msg === "started");
  }
}

function held(site: Site, names: string, endpoints: string): Starter {
  return new Starter("/usr/bin/python3", [HOLDER, names, endpoints, "--", ...SERVE, site.config]);
}

async function ask(endpoint: { port: number } | { path: string }): Promise<string> {
  const client = await PolicyClient.connect(
    "port" in endpoint
      ? { kind: "inet", host: "127.0.0.1", port: endpoint.port }
      : { kind: "unix", path: endpoint.path },
  );
  onTestFinished(() => client.end());
  return client.ask(REQUEST);
}

describe("sockets that systemd hands over", () => {
  it.skipIf(NO_SYSTEMD)(
    "are served when systemd-socket-activate starts it at the first connection",
    async () => {
      const port = await freePort();
      const site = await Site.create({
        "pfxbridge.yaml": { listen: [`inet:127.0.0.1:${port}`], routes: ROUTES },
      });
      const starter = new Starter("systemd-socket-activate", [
        "-l",
        `127.0.0.1:${port}`,
        ...SERVE,
        site.config,
      ]);
      await until("it listens", () => starter.output.includes("Listening on"));
      // The connection that starts it is answered.
      expect(await ask({ port })).toBe("WARN first");
      expect(await ask({ port })).toBe("WARN first");
    },
  );

  it("are told apart by address and by name, also for control; what is not given is bound", async () => {
    const [first, second, own] = [await freePort(), await freePort(), await freePort()];
    const site = await Site.create({});
    const path = site.path("policy");
    await site.write("pfxbridge.yaml", {
      listen: [
        `inet:localhost:${first}`,
        { endpoint: "inet:127.0.0.1:1", name: "second" },
        `unix:${path}`,
        `inet:127.0.0.1:${own}`,
      ],
      control: `unix:${site.path("control")}`,
      routes: ROUTES,
    });
    const names = "control:second:pfxbridge.socket:pfxbridge.socket";
    const starter = held(
      site,
      names,
      `${site.path("control")},127.0.0.1:${second},${path},127.0.0.1:${first}`,
    );
    expect((await starter.started())?.listen).toEqual([
      `inet:127.0.0.1:${first}`,
      `inet:127.0.0.1:${second}`,
      `unix:${path}`,
      `inet:127.0.0.1:${own}`,
    ]);
    expect(await ask({ port: first })).toBe("WARN first");
    expect(await ask({ port: second })).toBe("WARN second");
    expect(await ask({ port: own })).toBe("WARN first");
    expect(await ask({ path })).toBe("WARN first");

    starter.child.kill("SIGTERM");
    await starter.ended;
    // They are systemd's to remove.
    for (const socket of [path, site.path("control")]) expect(statSync(socket).isSocket()).toBe(true);
  });

  it("are refused where the configuration does not name them, with both sides in the message", async () => {
    const [given, port] = [await freePort(), await freePort()];
    const site = await Site.create({
      "pfxbridge.yaml": { listen: [{ endpoint: `inet:127.0.0.1:${port}`, name: "policy" }], routes: ROUTES },
    });
    const starter = held(site, "submission", `127.0.0.1:${given}`);
    await until("the message", () => starter.output.includes("FileDescriptorName="));
    expect(starter.output).toContain(
      `systemd hands over "submission" (inet:127.0.0.1:${given}), which the configuration does not name; ` +
        `it names "policy" (inet:127.0.0.1:${port})`,
    );
  });

  it("are the supervisor's where there are workers, who know nothing of them", async () => {
    const port = await freePort();
    const site = await Site.create({
      "pfxbridge.yaml": { listen: [`inet:127.0.0.1:${port}`], workers: 2, routes: ROUTES },
    });
    const starter = held(site, "policy", `127.0.0.1:${port}`);
    const pid = Number((await starter.started())?.pid);
    expect(await ask({ port })).toBe("WARN first");
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    expect(children).toHaveLength(2);
    for (const child of children) {
      expect(readFileSync(`/proc/${child}/environ`, "utf8")).not.toContain("LISTEN_");
    }
  });

  it.each([1, 2])(
    "are served on while it is started again, with %s workers: nobody is refused",
    async (workers) => {
      const port = await freePort();
      const config = { listen: [`inet:127.0.0.1:${port}`], workers, routes: ROUTES };
      const site = await Site.create({ "pfxbridge.yaml": config });
      const starter = held(site, "policy", `127.0.0.1:${port}`);
      await starter.started();
      let [answered, again] = [0, 0];
      const failures: string[] = [];
      let isOver = false;
      /** As smtpd does: a connection that is closed is made anew, once. */
      const load = async () => {
        let client: PolicyClient | undefined;
        while (!isOver) {
          for (let attempt = 1; ; attempt++) {
            try {
              client ??= await PolicyClient.connect({ kind: "inet", host: "127.0.0.1", port });
              expect(await client.ask(REQUEST)).toBe("WARN first");
              answered++;
              if (answered % 3 === 0) {
                client.end();
                client = undefined;
              }
              break;
            } catch (error) {
              client?.end();
              client = undefined;
              if (attempt === 2 || (error as NodeJS.ErrnoException).code !== undefined) {
                failures.push((error as Error).message);
                break;
              }
              again++;
            }
          }
          await new Promise((done) => setTimeout(done, 5));
        }
        client?.end();
      };
      const clients = Array.from({ length: 20 }, load);
      for (let restart = 1; restart <= 3; restart++) {
        const before = answered;
        starter.child.kill("SIGUSR1");
        await starter.started(restart + 1);
        await until("answers after it", () => answered > before + 100);
      }
      isOver = true;
      await Promise.all(clients);
      expect(failures).toEqual([]);
      expect(again).toBeLessThan(answered);
    },
  );
});
