/**
 * A program that a test starts, waits for and ends: it is ended by its own process id, also when the test
 * process ends first, and what it printed comes with the error when it does not start.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { vi } from "vitest";

const START_TIMEOUT = 20_000;
const STOP_TIMEOUT = 20_000;
const LINES_KEPT = 50;

export interface DaemonOptions {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Its working directory. Default: that of the tests. */
  readonly cwd?: string;
  /** Resolves when the program is ready to serve; rejects, and is tried again, while it is not. */
  readonly ready: () => Promise<unknown>;
  /** Is given each line of its standard output. */
  readonly onLine?: (line: string) => void;
}

export interface Daemon {
  signal(name: NodeJS.Signals): void;
  /** Ends it with SIGTERM and gives its exit status; null if only SIGKILL helped. */
  stop(): Promise<number | null>;
}

/** Starts a program and waits until it is ready. Throws, with what it printed, when it ends before that. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { command, parameters, env = {}, cwd, ready, onLine } = options;
  const child = spawn(command, parameters, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
  });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const exited = once(child, "exit").then(([status]) => status as number | null);
  exited.catch(() => {}).finally(() => process.off("exit", kill));

  const printed: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      if (printed.push(line) > LINES_KEPT) printed.shift();
      if (stream === child.stdout) onLine?.(line);
    });
  }

  const ended = exited.then((status) => {
    throw new Error(`ended with status ${status}`);
  });
  try {
    await Promise.race([ended, vi.waitFor(ready, { timeout: START_TIMEOUT, interval: 25 })]);
  } catch (error) {
    kill();
    throw new Error(`${command} did not start: ${String(error)}\n${printed.join("\n")}`);
  }
  ended.catch(() => {});
  return { signal: (name) => child.kill(name), stop: () => stop(child, exited) };
}

async function stop(child: ChildProcess, exited: Promise<number | null>): Promise<number | null> {
  const giveUp = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT);
  child.kill("SIGTERM");
  const status = await exited;
  clearTimeout(giveUp);
  return status;
}
