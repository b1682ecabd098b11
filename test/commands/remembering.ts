/** A running bridge that remembers decisions, and the service that it asks, which the test can take away. */
import { type LogLine, writeYaml } from "../support/bridge.ts";
import type { Answering, AuthorizationService } from "../support/service.ts";
import { Program, run, Site, until } from "./program.ts";
import { ANY_PORT, GATE, service } from "./services.ts";

export const DEFER = "DEFER 4.3.0 Authorization service unavailable, please try again later";

export const senderOf = (name: string) => `${name}@example.org`;

/** Refuses whoever is called bad, each with a reason of its own, so that an answer tells whose it is. */
const judging: Answering = ({ json }) => {
  const sender = String(json?.sender);
  return { body: sender.startsWith("bad") ? { allowed: false, reason: `not ${sender}` } : { allowed: true } };
};

/** What `judging` says of a sender. */
export const judged = (name: string) =>
  name.startsWith("bad") ? `REJECT 5.7.1 not ${senderOf(name)}` : "DUNNO";

interface Options {
  /** Under `cache` of the service. */
  readonly cache?: object;
  /** Further keys of the service, and of the configuration. */
  readonly more?: object;
  readonly config?: object;
  readonly mapping?: unknown;
  readonly files?: Readonly<Record<string, unknown>>;
  /** The service; another one begins when none is given. */
  readonly corp?: AuthorizationService;
}

export class Remembering {
  readonly corp: AuthorizationService;
  readonly site: Site;
  bridge: Program;

  private constructor(corp: AuthorizationService, site: Site, bridge: Program) {
    this.corp = corp;
    this.site = site;
    this.bridge = bridge;
  }

  static async start(options: Options = {}): Promise<Remembering> {
    const corp = options.corp ?? (await service(judging));
    const site = await Site.create({ "gate.yaml": options.mapping ?? GATE, ...options.files });
    await writeYaml(site.config, configOf(corp, site, options));
    return new Remembering(corp, site, await Program.serve(site));
  }

  /** Writes another configuration, loads it, and waits until it is in use. */
  async reload(options: Options): Promise<void> {
    const since = this.bridge.log.length;
    await writeYaml(this.site.config, configOf(this.corp, this.site, options));
    this.bridge.signal("SIGHUP");
    await this.bridge.logged({ msg: "configuration loaded again" }, since);
  }

  /** Ends it as a crash does, and starts it again. */
  async crash(): Promise<void> {
    this.bridge.signal("SIGKILL");
    await this.bridge.ended;
    this.bridge = await Program.serve(this.site);
  }

  /** One decision about a sender, as the log tells of it. */
  async decide(name: string, attributes: Readonly<Record<string, string>> = {}): Promise<LogLine> {
    const sender = senderOf(name);
    const before = this.bridge.decisions.length;
    const action = await this.bridge.ask({ sender, recipient: "r@example.net", ...attributes });
    const line = await until("a decision line", () =>
      this.bridge.decisions
        .slice(before)
        .find((decision) => decision.sender === (attributes.sender ?? sender)),
    );
    if (line.action !== action) throw new Error(`answered ${action}, logged ${String(line.action)}`);
    return line;
  }

  async command(name: string, ...args: string[]) {
    return run([name, "-c", this.site.config, ...args]);
  }

  /** Waits until so many decisions can be read from the store. */
  async holds(count: number): Promise<void> {
    await until(`${count} remembered decisions`, async () => {
      const { stdout } = await this.command("cache", "export");
      return stdout.split("\n").length - 1 >= count || undefined;
    });
  }
}

function configOf(corp: AuthorizationService, site: Site, { cache = {}, more = {}, config = {} }: Options) {
  const quick = { timeout: "300ms", deadline: "600ms", retry: { attempts: 1 } };
  return {
    listen: ANY_PORT,
    control: `unix:${site.path("control")}`,
    services: { corp: { url: corp.url, mapping: "./gate.yaml", ...quick, cache, ...more } },
    ...config,
  };
}

/** `milliseconds` later. */
export const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
