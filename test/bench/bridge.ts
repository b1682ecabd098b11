/** The bridge that is measured: the built command, on its core, as a deployment would run it, its log in a file. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join, resolve } from "node:path";
import { freePort, temporaryFolder } from "../support/temporary.ts";
import { type Place, placed } from "./cores.ts";

/** Seen from where this file is once it is compiled: dist/test/bench. */
const COMMAND = resolve(import.meta.dirname, "../../main.js");
/** The same, each module in its own file. */
const MODULES = resolve(import.meta.dirname, "../../src/main.js");
const START_TIMEOUT = 15_000;

export interface BridgeOptions {
  /** Keys of the service beside `url` and `mapping`. */
  readonly service?: object;
  /** Keys beside `listen`, `services` and `log`. */
  readonly config?: object;
  readonly mapping?: string;
  readonly place?: Place;
  /** Run from the modules, so that a profile says where things are. */
  readonly modules?: boolean;
  /** For node, such as --cpu-prof. */
  readonly nodeOptions?: readonly string[];
}

export interface RunningBridge {
  readonly port: number;
  readonly pid: number;
  /** When its process was started, by performance.now(). */
  readonly startedAt: number;
  /** Ends it with SIGTERM, and its log. */
  stop(): Promise<void>;
}

/** The configuration holds a key that this version of the bridge does not know. */
export class UnknownKey extends Error {}

/** @throws UnknownKey, or Error with what the bridge printed when it did not start */
export async function startBridge(url: string, options: BridgeOptions = {}): Promise<RunningBridge> {
  const {
    service = {},
    config = {},
    mapping = "rest",
    place = "bridge",
    modules = false,
    nodeOptions = [],
  } = options;
  const folder = await temporaryFolder();
  const port = await freePort();
  const file = join(folder.path, "pfxbridge.yaml");
  const whole = {
    listen: [`inet:127.0.0.1:${port}`],
    services: { bench: { url, mapping, ...service } },
    log: { format: "json", file: join(folder.path, "log") },
    ...config,
  };
  // JSON is YAML.
  await writeFile(file, JSON.stringify(whole), { mode: 0o600 });

  const startedAt = performance.now();
  const [command, parameters] = placed(place, process.execPath, [
    ...nodeOptions,
    modules ? MODULES : COMMAND,
    "serve",
    "-c",
    file,
  ]);
  const child = spawn(command, parameters, { stdio: ["ignore", "ignore", "pipe"] });
  let printed = "";
  child.stderr.on("data", (chunk) => {
    printed += chunk;
  });
  const exited = once(child, "exit");
  const stop = async () => {
    if (child.exitCode === null) child.kill("SIGTERM");
    await exited;
    await folder.remove();
  };
  while (!(await takesConnection(port))) {
    const late = performance.now() - startedAt > START_TIMEOUT;
    if (child.exitCode === null && !late) continue;
    await stop();
    const message = `the bridge did not start:\n${printed}`;
    throw /unknown key|unrecognized|not known/i.test(printed) ? new UnknownKey(message) : new Error(message);
  }
  return { port, pid: child.pid!, startedAt, stop };
}

function takesConnection(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      done(true);
    });
    socket.once("error", () => setTimeout(done, 2, false));
  });
}
