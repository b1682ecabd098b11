/**
 * The built command in a process of its own: run to its end, or started and watched. It is ended by its process id
 * when the test is over. Needs `npm run build` first.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { onTestFinished, vi } from "vitest";
import { type LogLine, writeYaml } from "../support/bridge.ts";
import { PolicyClient } from "../support/policy-client.ts";
import { temporaryFolder } from "../support/temporary.ts";

export const COMMAND = resolve(import.meta.dirname, "../../dist/main.js");

/** Long enough for a busy machine. */
const PATIENCE = 15_000;

interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** How many files it may have open. */
  readonly files?: number;
  /** … unless it raises that limit itself. */
  readonly softFiles?: number;
  /** Another copy of the command. */
  readonly command?: string;
}

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end; `input` is its standard input. */
export async function run(
  args: readonly string[],
  { input = "", ...options }: ProgramOptions & { readonly input?: string } = {},
): Promise<Ended> {
  const program = new Program(args, options);
  program.child.stdin?.on("error", () => {});
  program.child.stdin?.end(input);
  const status = await program.ended;
  return { status, stdout: program.stdout, stderr: program.stderr };
}

/** A folder with a configuration (`pfxbridge.yaml`) and other files, which nobody else can write. */
export class Site {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Files by name: text as it stands, anything else as YAML. */
  static async create(files: Readonly<Record<string, unknown>>, mode?: number): Promise<Site> {
    const { path, remove } = await temporaryFolder(mode);
    onTestFinished(remove);
    const site = new Site(path);
    for (const [name, content] of Object.entries(files)) await site.write(name, content);
    return site;
  }

  get config(): string {
    return this.path("pfxbridge.yaml");
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: unknown): Promise<void> {
    return writeYaml(this.path(name), content);
  }
}

export class Program {
  readonly child: ChildProcess;
  /** Its exit status; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  stdout = "";
  stderr = "";

  constructor(
    args: readonly string[],
    { cwd, env = {}, files, softFiles, command = COMMAND }: ProgramOptions = {},
  ) {
    const limits = [files && `ulimit -n ${files}`, softFiles && `ulimit -Sn ${softFiles}`, 'exec "$@"'];
    const shell = ["-c", limits.filter(Boolean).join(" && "), "sh", process.execPath, command, ...args];
    this.child = spawn("sh", shell, {
      cwd,
      env: { ...process.env, ...env },
      stdio: "pipe",
    });
    this.ended = once(this.child, "close").then(([status]) => status as number | null);
    (this.child.stdout as Readable).setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    (this.child.stderr as Readable).setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 4 * PATIENCE);
    void this.ended.then(() => clearTimeout(timer));
    onTestFinished(async () => {
      this.child.kill("SIGKILL");
      await this.ended;
    });
  }

  /** `serve` with the configuration of `site`, once it has said that it is started. */
  static async serve(
    site: Site,
    args: readonly string[] = [],
    options: ProgramOptions = {},
  ): Promise<Program> {
    const program = new Program(["serve", "-c", site.config, ...args], options);
    await program.logged({ msg: "started" });
    return program;
  }

  /** The lines of its JSON log so far, on standard output. */
  get log(): readonly LogLine[] {
    return logLines(this.stdout);
  }

  get decisions(): readonly LogLine[] {
    return this.log.filter(({ msg }) => msg === "decision");
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The first log line with these fields, from the line `since` on; fails when it does not come. */
  async logged(fields: LogLine, since = 0): Promise<LogLine> {
    const wanted = Object.entries(fields);
    return until(`a log line with ${JSON.stringify(fields)}`, () => {
      const found = this.log
        .slice(since)
        .find((line) => wanted.every(([name, value]) => line[name] === value));
      if (found === undefined && !this.alive) throw new Error(`ended: ${this.stdout}${this.stderr}`);
      return found;
    });
  }

  /** Where it listens, in order of the configuration, with the ports that the system chose. */
  get endpoints(): readonly string[] {
    const line = this.log.findLast(({ listen }) => Array.isArray(listen));
    return (line?.listen as readonly string[] | undefined) ?? [];
  }

  /** A connection to its first endpoint, or another one. */
  async connect(endpoint = this.endpoints[0] ?? ""): Promise<PolicyClient> {
    const client = await PolicyClient.connect(endpointOf(endpoint));
    onTestFinished(() => client.end());
    return client;
  }

  /** One request over a connection of its own. */
  async ask(attributes: Readonly<Record<string, string>>): Promise<string> {
    const client = await this.connect();
    const action = await client.ask({
      request: "smtpd_access_policy",
      protocol_state: "RCPT",
      ...attributes,
    });
    client.end();
    return action;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }
}

export function logLines(text: string): readonly LogLine[] {
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LogLine);
}

/** Waits until `look` finds something. */
export async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  return vi.waitFor(
    async () => {
      const found = await look();
      if (found === undefined || found === false) throw new Error(`waited in vain for ${what}`);
      return found;
    },
    { timeout: PATIENCE, interval: 20 },
  );
}

function endpointOf(text: string) {
  const [kind, ...rest] = text.split(":");
  if (kind === "unix") return { kind: "unix", path: rest.join(":") } as const;
  const host = rest
    .slice(0, -1)
    .join(":")
    .replace(/^\[(.*)\]$/, "$1");
  return { kind: "inet", host, port: Number(rest.at(-1)) } as const;
}
