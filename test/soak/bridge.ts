/**
 * The bridge as users run it: the built command with two workers, its log on standard output. What it prints is handed
 * on line by line; commands are run as an administrator would.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { childrenOf } from "../bench/usage.ts";

/** Seen from where this file is once it is compiled: dist/test/soak. */
const COMMAND = resolve(import.meta.dirname, "../../main.js");
/** Milliseconds. */
const START_TIME = 20_000;
const COMMAND_TIME = 20_000;
const END_TIME = 20_000;

/** Milliseconds; the answer is there by then, and 50 later at the latest. */
export const DEADLINE = 1500;
/** In place of a permit that was remembered past its ttl. */
export const STALE = "PREPEND X-Policy: remembered";
/** `defaultOf` reads it. */
const ON_FAILURE = (generation: number) =>
  `DEFER 4.7.0 generation ${generation}, cause \${cause}, request \${request_id}`;

/** The parts of a configured default action; undefined: it is none. */
export function defaultOf(action: string): { generation: number; cause: string } | undefined {
  const [, generation, cause] =
    /^DEFER 4\.7\.0 generation (\d+), cause (\w+), request [0-9a-f-]{36}$/.exec(action) ?? [];
  return cause === undefined ? undefined : { generation: Number(generation), cause };
}

const MAPPING = {
  request: {
    method: "POST",
    path: "/check",
    json: {
      state: "${protocol_state}",
      user: "${sasl_username}",
      sender: "${sender}",
      recipient: "${recipient}",
      recipients: "${recipients}",
      count: "${recipient_count}",
    },
  },
  response: [
    { when: "body.allowed == true", action: "DUNNO" },
    { when: "body.allowed == false", action: "REJECT 5.7.1 ${body.reason}" },
  ],
};

export interface Place {
  readonly folder: string;
  readonly port: number;
  readonly service: number;
  readonly redis: number;
  readonly token: string;
  /** Signs what is remembered. */
  readonly secret: string;
}

export class Bridge {
  readonly #place: Place;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #listeners = new Set<(line: string) => void>();

  private constructor(place: Place) {
    this.#place = place;
    this.#child = spawn(process.execPath, [COMMAND, "serve", "-c", this.#config], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#ended = once(this.#child, "exit").then(([status]) => status as number | null);
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => {
        for (const listener of [...this.#listeners]) listener(line);
      });
    }
  }

  /** @throws Error with what it printed, when it does not start */
  static async start(place: Place, onLine: (line: string) => void): Promise<Bridge> {
    await writeFile(join(place.folder, "soak.yaml"), JSON.stringify(MAPPING), { mode: 0o600 });
    await writeFile(join(place.folder, "token"), place.token, { mode: 0o600 });
    await writeConfig(place, 1);
    const bridge = new Bridge(place);
    const printed: string[] = [];
    const note = (line: string) => void printed.push(line);
    bridge.#listeners.add(note).add(onLine);
    const gone = bridge.#ended.then(() => false);
    if (!(await Promise.race([bridge.#said("started", START_TIME), gone]))) {
      await bridge.kill();
      throw new Error(`the bridge did not start:\n${printed.join("\n")}`);
    }
    bridge.#listeners.delete(note);
    return bridge;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get port(): number {
    return this.#place.port;
  }

  /** The workers' process ids, the oldest first. */
  workers(): number[] {
    return childrenOf(this.pid).sort((a, b) => a - b);
  }

  /** Writes another configuration and has it loaded; false when the log does not say in time that it is. */
  async reload(generation: number): Promise<boolean> {
    await writeConfig(this.#place, generation);
    return this.#hangUp("configuration loaded again");
  }

  /** The same with one that is no configuration; afterwards the file is as it was. */
  async reloadInvalid(generation: number): Promise<boolean> {
    await writeConfig(this.#place, generation + 1_000_000, { retries: 3 });
    const isRefused = await this.#hangUp("configuration not loaded, the old one stays in use");
    await writeConfig(this.#place, generation);
    return isRefused;
  }

  /** Runs a command against it; `problem` is what it said when it failed. */
  async command(name: string, ...parameters: string[]): Promise<{ problem?: string }> {
    const control = `unix:${join(this.#place.folder, "control")}`;
    const child = spawn(process.execPath, [COMMAND, name, "--control", control, ...parameters], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let printed = "";
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (printed += chunk));
    const late = setTimeout(() => child.kill("SIGKILL"), COMMAND_TIME);
    const [status] = await once(child, "close");
    clearTimeout(late);
    return status === 0 ? {} : { problem: `${name} ended with status ${status}: ${printed.trim()}` };
  }

  /** SIGTERM; gives its exit status, null where only SIGKILL helped. */
  async stop(): Promise<number | null> {
    const late = setTimeout(() => this.#child.kill("SIGKILL"), END_TIME);
    this.#child.kill("SIGTERM");
    const status = await this.#ended;
    clearTimeout(late);
    return status;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  get #config(): string {
    return join(this.#place.folder, "pfxbridge.yaml");
  }

  #hangUp(message: string): Promise<boolean> {
    const said = this.#said(message, COMMAND_TIME);
    this.#child.kill("SIGHUP");
    return said;
  }

  #said(message: string, within: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (was: boolean) => {
        clearTimeout(late);
        this.#listeners.delete(look);
        resolve(was);
      };
      const look = (line: string) => {
        if (line.includes(`"msg":"${message}"`)) done(true);
      };
      const late = setTimeout(done, within, false);
      this.#listeners.add(look);
    });
  }
}

async function writeConfig(place: Place, generation: number, more: object = {}): Promise<void> {
  const { folder, port, service, redis, secret } = place;
  const config = {
    listen: [`inet:127.0.0.1:${port}`],
    workers: 2,
    control: { endpoint: `unix:${join(folder, "control")}`, state: join(folder, "state.json") },
    services: {
      soak: {
        url: `http://127.0.0.1:${service}`,
        mapping: "./soak.yaml",
        timeout: "500ms",
        deadline: `${DEADLINE}ms`,
        breaker: { open_for: "1s" },
        auth: { bearer: { file: "./token" } },
        on_failure: ON_FAILURE(generation),
        cache: {
          store: `redis://127.0.0.1:${redis}`,
          ttl: "5s",
          stale_if_error: "1h",
          secret,
          mark_stale: STALE,
        },
        ...more,
      },
    },
    routes: [{ when: 'protocol_state == "VRFY"', action: "REJECT 5.7.1 no VRFY here" }, { service: "soak" }],
  };
  // JSON is YAML.
  await writeFile(join(folder, "pfxbridge.yaml"), JSON.stringify(config), { mode: 0o600 });
}
