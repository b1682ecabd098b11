/**
 * The running bridge, from the first socket to the last answer.
 *
 * Order matters: sockets are bound with root's rights, these are given up, then the log is opened and modules are
 * loaded. A request that comes before all is ready waits for it.
 *
 * SIGHUP loads the configuration again; if it is not valid the old one stays. SIGTERM and SIGINT answer what is in
 * flight and end. Whatever goes wrong inside costs a log line, never the process.
 */
import type { Config } from "../config/config.ts";
import { Bridge } from "../decision/bridge.ts";
import { ServiceLog } from "../observe/log.ts";
import type { PolicyHandler } from "../postfix/connection.ts";
import { ListenerSet } from "../postfix/listener-set.ts";
import { serveStdio } from "../postfix/stdio.ts";
import { ProblemError } from "../yaml/problem.ts";
import { dropPrivileges, isRoot } from "./privileges.ts";

export interface DaemonOptions {
  /** Reads the configuration: now, and for each SIGHUP. */
  readonly load: () => Promise<Config>;
  /** No call is made, whatever the configuration says. */
  readonly offline?: boolean;
  /** Serve standard input and output instead of the endpoints of the configuration. */
  readonly stdio?: boolean;
  /** Told when the bridge answers, before the log says so. */
  readonly onReady?: (endpoints: readonly string[]) => void;
}

/** What answers in flight may take beyond their deadline when the bridge ends, in milliseconds. */
const GRACE = 500;

/**
 * Runs the bridge until a signal, or the end of standard input with `stdio`.
 *
 * @throws ProblemError or Error when it cannot start
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const daemon = new Daemon(options);
  await daemon.start();
  await daemon.ended;
}

class Daemon {
  readonly ended: Promise<void>;
  readonly #options: DaemonOptions;
  readonly #log = new ServiceLog();
  readonly #listeners: ListenerSet;
  #bridge: Promise<Bridge> | Bridge | null = null;
  #reloading: Promise<void> = Promise.resolve();
  #end: () => void = () => {};
  #stopping = false;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#listeners = new ListenerSet(this.#answerWhenReady, this.#log);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async start(): Promise<void> {
    const { stdio = false } = this.#options;
    if (stdio) silenceWarnings();
    const config = await this.#options.load();
    if (!stdio) {
      const problem = await this.#listeners.apply(config.listeners);
      if (problem !== undefined) throw new Error(problem);
    }
    if (config.user !== undefined && isRoot()) dropPrivileges(config.user, config.group);
    this.#useLog(config);
    for (const { message, ...place } of config.warnings) this.#log.warn(place, message);
    if (isRoot()) this.#log.warn({}, "running as root: set user: and group: in the configuration");

    this.#bridge = Bridge.open(config, this.#log, this.#options);
    this.#bridge = await this.#bridge;
    this.#listenForSignals();
    if (stdio) this.#serveStdio(this.#bridge.answer);
    this.#listeners.setHandler(this.#bridge.answer);
    this.#options.onReady?.(this.#listeners.endpoints);
    this.#log.info(this.#summary(config), "started");
  }

  /** Between binding and readiness. */
  readonly #answerWhenReady: PolicyHandler = async (request, startedAt) => {
    while (this.#bridge === null) await new Promise((resolve) => setTimeout(resolve, 5));
    return (await this.#bridge).answer(request, startedAt);
  };

  #serveStdio(handle: PolicyHandler): void {
    const connection = serveStdio({ handle, log: this.#log });
    void connection.ended.then(() => this.#stop("the client has gone"));
  }

  #useLog(config: Config): void {
    this.#log.use({ ...config.log, quiet: this.#options.stdio === true }, config.mask);
  }

  #listenForSignals(): void {
    process.on("SIGHUP", () => {
      this.#reloading = this.#reloading.then(() => this.#reload());
    });
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void this.#stop(signal));
    process.on("uncaughtException", (error) => this.#fault(error));
    process.on("unhandledRejection", (error) => this.#fault(error));
  }

  #fault(error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error({ detail }, "a fault inside the bridge or a module; it goes on, please report it");
  }

  async #reload(): Promise<void> {
    if (this.#stopping) return;
    try {
      const config = await this.#options.load();
      const next = await Bridge.open(config, this.#log, this.#options);
      const problem = this.#options.stdio ? undefined : await this.#listeners.apply(config.listeners);
      if (problem !== undefined) {
        void next.close();
        throw new Error(problem);
      }
      this.#useLog(config);
      const previous = this.#bridge as Bridge;
      this.#bridge = next;
      this.#listeners.setHandler(next.answer);
      void previous.close();
      for (const { message, ...place } of config.warnings) this.#log.warn(place, message);
      this.#log.info(this.#summary(config), "configuration loaded again");
    } catch (error) {
      const problems =
        error instanceof ProblemError ? error.problems : [{ message: (error as Error).message }];
      for (const { message, ...place } of problems) this.#log.error(place, message);
      this.#log.error({ problems: problems.length }, "configuration not loaded, the old one stays in use");
    }
  }

  async #stop(reason: string): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#log.info({ reason }, "stopping: answering what is in flight");
    const bridge = await this.#bridge;
    const grace = (bridge?.longestDeadline ?? 0) + GRACE;
    await this.#listeners.close(grace);
    this.#log.info({}, "stopped");
    this.#log.flush();
    this.#end();
  }

  #summary(config: Config): object {
    return {
      pid: process.pid,
      config: config.file,
      listen: this.#options.stdio ? ["stdio"] : this.#listeners.endpoints,
      services: Object.fromEntries(
        [...config.services.values()].map(({ name, mapping, urls }) => [
          name,
          `${mapping.name} at ${urls.map((url) => new URL(url).origin).join(", ")}`,
        ]),
      ),
      ...(this.#options.offline || config.offline !== false
        ? { offline: this.#options.offline || config.offline }
        : {}),
    };
  }
}

/** Node prints its warnings on standard error, which is the client's connection under spawn(8). */
function silenceWarnings(): void {
  process.removeAllListeners("warning");
}
