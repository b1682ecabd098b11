/**
 * The bridge as its users run it: the built command in a process of its own, with a configuration in a
 * temporary folder. Its log is collected line by line. Needs `npm run build` first.
 */
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import { startDaemon } from "./daemon.ts";
import { temporaryFolder } from "./temporary.ts";

/** The built command, to be run by `node`. */
const COMMAND = resolve(import.meta.dirname, "../../dist/main.js");

/** For `expect.poll` on the log, whose lines are written a few at a time. */
export const LOGGED = { timeout: 5_000, interval: 25 };

/** A line of the JSON log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface BridgeOptions {
  /** The configuration, written as YAML. */
  readonly config: Readonly<Record<string, unknown>> & {
    readonly listen: readonly (string | object)[];
  };
  /** Files beside it, such as mappings: name and text, or what becomes YAML. */
  readonly files?: Readonly<Record<string, unknown>>;
}

export interface Bridge {
  /** All log lines so far. */
  log(): readonly LogLine[];
  /** The log lines of decisions so far. */
  decisions(): readonly LogLine[];
  /** Where a file beside the configuration is. */
  path(name: string): string;
  /** Writes a file beside the configuration, or the configuration itself (`pfxbridge.yaml`). */
  write(name: string, content: unknown): Promise<void>;
  reload(): void;
  /** Ends it with SIGTERM and gives its exit status. */
  stop(): Promise<number | null>;
}

/** Starts the bridge and waits until it listens on every endpoint of its configuration. */
export async function startBridge({ config, files = {} }: BridgeOptions): Promise<Bridge> {
  const folder = await temporaryFolder();
  const path = (name: string) => join(folder.path, name);
  const write = (name: string, content: unknown) => writeYaml(path(name), content);
  await write("pfxbridge.yaml", config);
  for (const [name, content] of Object.entries(files)) await write(name, content);

  const lines: LogLine[] = [];
  const daemon = await startDaemon({
    command: process.execPath,
    parameters: [COMMAND, "serve", "-c", path("pfxbridge.yaml")],
    ready: () => Promise.all(config.listen.map((endpoint) => connectOnce(endpointOf(endpoint)))),
    onLine: (line) => lines.push(parseLine(line)),
  });
  return {
    log: () => lines,
    decisions: () => lines.filter((line) => line.msg === "decision"),
    path,
    write,
    reload: () => daemon.signal("SIGHUP"),
    stop: async () => {
      const status = await daemon.stop();
      await folder.remove();
      return status;
    },
  };
}

/** Writes a file that nobody else may write, as the bridge wants it when it runs as root. */
export async function writeYaml(file: string, content: unknown): Promise<void> {
  await writeFile(file, typeof content === "string" ? content : stringify(content), { mode: 0o600 });
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line);
  } catch {
    return { msg: line };
  }
}

function endpointOf(listen: string | object): string {
  return typeof listen === "string" ? listen : String("endpoint" in listen ? listen.endpoint : "");
}

/** Connects to an endpoint in Postfix's syntax, `inet:127.0.0.1:PORT` or `unix:PATH`, and closes again. */
async function connectOnce(endpoint: string): Promise<void> {
  const [type, ...rest] = endpoint.split(":");
  const socket =
    type === "unix"
      ? createConnection({ path: rest.join(":") })
      : createConnection({ host: "127.0.0.1", port: Number(rest.at(-1)) });
  try {
    await once(socket, "connect");
  } finally {
    socket.destroy();
  }
}
