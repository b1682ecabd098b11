/**
 * The running bridge, from the first socket to the last answer.
 *
 * Order matters: sockets are bound with root's rights, these are given up, then the log is opened and modules are
 * loaded. A request that comes before all is ready waits for it.
 *
 * SIGHUP loads the configuration again; if it is not valid the old one stays. SIGTERM and SIGINT answer what is in
 * flight and end. Whatever goes wrong inside costs a log line, never the process.
 */
import { Console } from "node:console";
import { Writable } from "node:stream";
import { StorePool } from "../cache/store-pool.ts";
import type { Config } from "../config/config.ts";
import { ControlEndpoint } from "../control/control-endpoint.ts";
import { StoreLog } from "../control/store-log.ts";
import { Activity } from "../decision/activity.ts";
import { Bridge, type BridgeOptions } from "../decision/bridge.ts";
import { OfflineSwitch } from "../decision/offline.ts";
import { type OpenLog, openLog, ServiceLog } from "../observe/log.ts";
import type { PolicyHandler } from "../postfix/connection.ts";
import { ListenerSet } from "../postfix/listener-set.ts";
import { type StdioConnection, serveStdio } from "../postfix/stdio.ts";
import { VERSION } from "../version.ts";
import { ProblemError } from "../yaml/problem.ts";
import { dropPrivileges, isRoot } from "./privileges.ts";

export interface DaemonOptions {
  /** Reads the configuration: now, and for each SIGHUP. */
  readonly load: () => Promise<Config>;
  /** No call is made, whatever the configuration says. */
  readonly offline?: boolean;
  /** Serve standard input and output instead of the endpoints of the configuration. */
  readonly stdio?: boolean;
  /** There is no configuration in which a user could be named: no warning about root. */
  readonly mayStayRoot?: boolean;
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
  // A signal may end it while a module is still being loaded.
  await Promise.race([daemon.start(), daemon.ended]);
  await daemon.ended;
}

class Daemon {
  readonly ended: Promise<void>;
  readonly #options: DaemonOptions;
  readonly #log = new ServiceLog();
  readonly #storeLog = new StoreLog(this.#log);
  readonly #listeners: ListenerSet;
  /** What outlives a reload. */
  readonly #lasting: Required<BridgeOptions>;
  /** Resolves when the first configuration is in use. */
  readonly #ready: Promise<Bridge>;
  readonly #started = new Date().toISOString();
  #bridge: Bridge | null = null;
  /** The one in use. */
  #config: Config | null = null;
  readonly #control = new ControlEndpoint(this.#log);
  #stdio: StdioConnection | null = null;
  /** Of any configuration whose decisions may still be under way, in milliseconds. */
  #longestDeadline = 0;
  #reloading: Promise<unknown>;
  #begin: (bridge: Bridge) => void = () => {};
  #end: () => void = () => {};
  #stopping = false;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#lasting = {
      offline: new OfflineSwitch(false, options.offline),
      activity: new Activity(),
      stores: new StorePool(this.#storeLog),
    };
    this.#listeners = new ListenerSet(this.#answerWhenReady, this.#log);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#ready = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.#reloading = this.#ready;
  }

  async start(): Promise<void> {
    const { stdio = false } = this.#options;
    if (stdio) keepStandardStreams(this.#log);
    this.#listenForSignals();
    const config = await this.#options.load();
    this.#longestDeadline = longestDeadline(config);
    if (!stdio) {
      const problem = await this.#listeners.apply(config.listeners);
      if (problem !== undefined) throw new Error(problem);
      await this.#control.bind(config.control);
    }
    if (config.user !== undefined && isRoot()) dropPrivileges(config.user, config.group);
    this.#log.use(this.#openLog(config));
    for (const { message, ...place } of config.warnings) this.#log.warn(place, message);
    if (stdio && config.control !== undefined) {
      this.#log.info({}, "control is not used with --stdio: there may be many such processes at once");
    }
    if (isRoot() && !this.#options.mayStayRoot) {
      this.#log.warn({}, "running as root: set user: and group: in the configuration");
    }

    this.#lasting.offline.configure(config.offline);
    await this.#control.restore(this.#controlled());
    let bridge: Bridge;
    try {
      bridge = await Bridge.open(config, this.#log, this.#lasting);
    } catch (error) {
      this.#logProblems(error, "not started");
      this.#log.flush();
      throw error;
    }
    this.#serve(bridge, config);
    if (stdio) this.#serveStdio(bridge.answer);
    this.#options.onReady?.(this.#listeners.endpoints);
    this.#log.info(this.#summary(config), "started");
    this.#control.serve();
    this.#begin(bridge);
  }

  /** What the control endpoint shows and changes, whatever the configuration in use. */
  #controlled() {
    return {
      ...this.#lasting,
      storeLog: this.#storeLog,
      bridge: () => this.#bridge!,
      mask: (text: string) => this.#config?.mask(text) ?? text,
      about: () => ({
        version: VERSION,
        pid: process.pid,
        started: this.#started,
        config: this.#config?.file ?? "",
        listeners: this.#listeners.report,
      }),
    };
  }

  /** Between binding and readiness. */
  readonly #answerWhenReady: PolicyHandler = async (request, startedAt) => {
    const bridge = await this.#ready;
    return bridge.answer(request, startedAt);
  };

  /** Requests go to `bridge` from now on; what is being decided is finished by the one before it. */
  #serve(bridge: Bridge, config: Config): void {
    this.#lasting.offline.configure(config.offline);
    const previous = this.#bridge;
    this.#bridge = bridge;
    this.#config = config;
    this.#listeners.setHandler(bridge.answer);
    this.#stdio?.setHandler(bridge.answer);
    void previous?.close();
  }

  #serveStdio(handle: PolicyHandler): void {
    this.#stdio = serveStdio({ handle, log: this.#log });
    void this.#stdio.ended.then(() => this.#stop("the client has gone"));
  }

  #openLog(config: Config): OpenLog {
    return openLog({ ...config.log, quiet: this.#options.stdio === true }, config.mask);
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

  /** All or nothing: what can fail comes before the first change. */
  async #reload(): Promise<void> {
    if (this.#stopping) return;
    let next: Bridge | undefined;
    let log: OpenLog | undefined;
    try {
      const config = await this.#options.load();
      next = await Bridge.open(config, this.#log, this.#lasting);
      log = this.#openLog(config);
      const problem = this.#options.stdio ? undefined : await this.#listeners.apply(config.listeners);
      if (problem !== undefined) throw new Error(problem);
      this.#longestDeadline = Math.max(this.#longestDeadline, longestDeadline(config));
      this.#log.use(log);
      if (!this.#options.stdio) this.#control.follow(config.control);
      this.#serve(next, config);
      for (const { message, ...place } of config.warnings) this.#log.warn(place, message);
      this.#log.info(this.#summary(config), "configuration loaded again");
    } catch (error) {
      void next?.close();
      log?.discard();
      this.#logProblems(error, "configuration not loaded, the old one stays in use");
    }
  }

  #logProblems(error: unknown, outcome: string): void {
    const problems = error instanceof ProblemError ? error.problems : [{ message: (error as Error).message }];
    for (const { message, ...place } of problems) this.#log.error(place, message);
    this.#log.error({ problems: problems.length }, outcome);
  }

  async #stop(reason: string): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#log.info({ reason }, "stopping: answering what is in flight");
    const grace = this.#longestDeadline + GRACE;
    this.#stdio?.drain();
    await Promise.all([this.#listeners.close(grace), within(grace, this.#stdio?.ended)]);
    await within(GRACE, this.#lasting.stores.close());
    await this.#control.close();
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

function longestDeadline(config: Config): number {
  return Math.max(0, ...[...config.services.values()].map(({ deadline }) => deadline));
}

async function within(milliseconds: number, ended: Promise<void> | undefined): Promise<void> {
  if (ended === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([ended, late]);
  clearTimeout(timer);
}

/**
 * Under spawn(8) standard output and standard error are the client's connection: what Node, a library or a module
 * prints goes to the log.
 */
function keepStandardStreams(log: ServiceLog): void {
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => log.warn({ name }, message));
  const lines = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      log.info({}, text.trimEnd());
      done();
    },
  });
  globalThis.console = new Console(lines);
}
