/**
 * The running bridge, from the first socket to the last answer: alone, or as the supervisor of workers that answer.
 *
 * Order matters: sockets are bound with root's rights, these are given up, then the log is opened and modules are
 * loaded. A request that comes before all is ready waits for it.
 *
 * SIGHUP opens the log anew and loads the configuration again; if it is not valid the old one stays. SIGUSR1 only opens the
 * log anew. SIGTERM and SIGINT answer what is in
 * flight and end. Whatever goes wrong inside costs a log line, never the process.
 */

import { AdminEndpoint, type PreparedAdmin } from "../admin/admin-endpoint.ts";
import type { Seen } from "../admin/seen.ts";
import { BridgeEngine } from "../bridge/bridge-engine.ts";
import type { Engine, Prepared } from "../bridge/engine.ts";
import { sumOfFigures } from "../bridge/figures.ts";
import { END_TIME, GRACE, longestDeadline } from "../bridge/grace.ts";
import { OfflineSwitch } from "../bridge/offline.ts";
import type { Config } from "../config/config.ts";
import { wholeStatus } from "../control/bridge-controls.ts";
import { ControlEndpoint } from "../control/control-endpoint.ts";
import type { ReloadOutcome } from "../control/controls.ts";
import { runsAsRoot } from "../files/hands.ts";
import { type OpenLog, openLog, ServiceLog } from "../observe/log.ts";
import { logWhatIsPrinted } from "../observe/printed.ts";
import { keepStandardStreamsFromBlocking } from "../observe/standard-streams.ts";
import { descriptorProblem } from "../postfix/descriptors.ts";
import { givenSockets } from "../postfix/given-sockets.ts";
import { ListenerSet } from "../postfix/listener-set.ts";
import { type StdioConnection, serveStdio } from "../postfix/stdio.ts";
import { keepingContents } from "../source/contents.ts";
import { ProblemError } from "../source/problem.ts";
import { ServiceManager } from "../systemd/service-manager.ts";
import { openTelemetry, type Telemetry } from "../telemetry/telemetry.ts";
import { within } from "../time/within.ts";
import { VERSION } from "../version.ts";
import { OwnFigures } from "./own-figures.ts";
import { becomeUser } from "./privileges.ts";
import { ReloadRecord } from "./reload-record.ts";
import { unreadable } from "./within-reach.ts";

/** For the service manager, until a reload succeeds. */
const REFUSED = "the configuration was not loaded again, the log says why";

export interface DaemonOptions {
  /** Reads the configuration: now, and for each SIGHUP. */
  readonly load: () => Promise<Config>;
  /** No call is made, whatever the configuration says. */
  readonly offline?: boolean;
  /** Serve standard input and output instead of the endpoints of the configuration. */
  readonly stdio?: boolean;
  /** There is no configuration in which a user could be named: no warning about root. */
  readonly mayStayRoot?: boolean;
  /** Told when the log has said why it cannot start. */
  readonly onSaid?: () => void;
  /** Told when the bridge answers, before the log says so. */
  readonly onReady?: (endpoints: readonly string[]) => void;
}

/** What answers, and where it is asked. */
interface Running {
  readonly engine: Engine;
  readonly listeners: ListenerSet;
}

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
  /** Outlives a reload. */
  readonly #offline: OfflineSwitch;
  readonly #started = new Date().toISOString();
  #running: Running | null = null;
  /** The one in use. */
  #config: Config | null = null;
  readonly #control = new ControlEndpoint(this.#log);
  readonly #own = new OwnFigures();
  #admin: AdminEndpoint | null = null;
  #telemetry: Telemetry | null = null;
  /** Between the first and the last request that is taken. */
  #isReady = false;
  #stdio: StdioConnection | null = null;
  #manager: ServiceManager | null = null;
  /** Of any configuration whose decisions may still be under way, in milliseconds. */
  #longestDeadline = 0;
  readonly #reloads = new ReloadRecord();
  #reloading: Promise<unknown>;
  /** A reload is under way. */
  #isReloading = false;
  #begin: () => void = () => {};
  #end: () => void = () => {};
  #stopping = false;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#offline = new OfflineSwitch(false, options.offline);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#reloading = new Promise<void>((resolve) => {
      this.#begin = resolve;
    });
  }

  async start(): Promise<void> {
    this.#manager = await ServiceManager.open(process.env, this.#log);
    try {
      await this.#start();
    } catch (error) {
      this.#manager.failed(error);
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { stdio = false } = this.#options;
    const tooFew = descriptorProblem();
    if (tooFew !== undefined) throw new Error(tooFew);
    if (!stdio) keepStandardStreamsFromBlocking();
    logWhatIsPrinted(this.#log);
    this.#listenForSignals();
    const { loaded: config, contents } = await keepingContents(this.#options.load);
    this.#longestDeadline = longestDeadline(config);
    const { engine, listeners } = await this.#open(config);
    this.#running = { engine, listeners };
    if (!stdio) {
      const problem = givenSockets.assign(endpointsOf(config)) ?? (await listeners.apply(config.listeners));
      if (problem !== undefined) throw new Error(problem);
      await this.#control.bind(config.control);
      this.#admin = new AdminEndpoint(this.#seen(engine), this.#log);
      (await this.#admin.prepare(config.admin)).use();
    }
    const hasGivenUpRoot = becomeUser(config);
    this.#log.use(this.#openLog(config));
    const outOfReach = hasGivenUpRoot ? unreadable(config) : [];
    for (const { message, ...place } of [...config.warnings, ...outOfReach]) this.#log.warn(place, message);
    if (stdio && config.control !== undefined) {
      this.#log.info({}, "control is not used with --stdio: there may be many such processes at once");
    }
    if (stdio && config.admin !== undefined) {
      this.#log.info({}, "admin is not used with --stdio: there may be many such processes at once");
    }
    if (runsAsRoot() && !this.#options.mayStayRoot) {
      this.#log.warn({}, "running as root: set user: and group: in the configuration");
    }

    this.#offline.configure(config.offline);
    await this.#control.restore(this.#controlled(engine));
    try {
      await this.#openTelemetry(engine);
      await this.#use(await engine.prepare(config, contents), config);
    } catch (error) {
      // Told to end before it began.
      if (this.#stopping) return;
      this.#logProblems(error, "not started");
      this.#options.onSaid?.();
      await this.#log.end();
      throw error;
    }
    if (stdio && engine instanceof BridgeEngine) this.#serveStdio(engine);
    this.#isReady = true;
    this.#own.used(false);
    this.#options.onReady?.(listeners.endpoints);
    this.#log.info(this.#summary(config), "started");
    this.#control.serve();
    this.#manager?.ready();
    this.#manager?.watch(() => engine.status());
    this.#begin();
  }

  /** One process answers by itself; of several this one only supervises. */
  async #open({ workers }: Config): Promise<Running> {
    if (workers === 1 || this.#options.stdio) {
      const engine = new BridgeEngine(this.#offline, this.#log);
      const listeners = new ListenerSet(engine.handler, this.#log);
      engine.receive(listeners);
      return { engine, listeners };
    }
    const { openSupervision } = await import("../workers/supervision.ts");
    return openSupervision(this.#offline, this.#options.offline === true, this.#log);
  }

  /** What the control endpoint shows and changes, whatever the configuration in use. */
  #controlled(engine: Engine) {
    return {
      engine,
      offline: this.#offline,
      services: () =>
        [...(this.#config?.services.values() ?? [])].map(({ name, cache }) => ({
          name,
          remembers: cache !== undefined,
        })),
      mask: (text: string) => this.#config?.mask(text) ?? text,
      about: () => ({
        version: VERSION,
        pid: process.pid,
        started: this.#started,
        config: this.#config?.file ?? "",
        reload: this.#reloads.last,
      }),
      reload: async () =>
        (await this.#reloadInTurn()) ?? { problem: "the bridge is ending: nothing is loaded any more" },
    };
  }

  /** Once for the life of the process, as the environment is; where workers answer they tell of decisions. */
  async #openTelemetry(engine: Engine): Promise<void> {
    if (this.#options.stdio) return;
    this.#telemetry = await openTelemetry(this.#log, VERSION, this.#seen(engine).figures);
    if (engine instanceof BridgeEngine) engine.trace(this.#telemetry.tracer);
  }

  /** What the admin endpoint shows, whatever the configuration in use. */
  #seen(engine: Engine): Seen {
    const { about, mask, offline } = this.#controlled(engine);
    return {
      notReady: () => (this.#isReady ? undefined : this.#stopping ? "it is stopping" : "it is being started"),
      status: () => wholeStatus({ engine, about, offline }),
      figures: async () =>
        sumOfFigures([await engine.figures(), this.#own.figures(this.#config, this.#isReady)]),
      mask,
    };
  }

  async #use(prepared: Prepared, config: Config): Promise<void> {
    this.#offline.configure(config.offline);
    this.#config = config;
    await prepared.use();
  }

  #serveStdio(engine: BridgeEngine): void {
    const connection = serveStdio({ handle: engine.handler, log: this.#log });
    this.#stdio = connection;
    engine.receive({
      report: [],
      setHandler: (handle) => connection.setHandler(handle),
      // One client takes nothing from calls.
      keepBack: () => {},
    });
    void connection.ended.then(() => this.#stop("the client has gone"));
  }

  #openLog(config: Config): OpenLog {
    const { stdio = false } = this.#options;
    return openLog({ ...config.log, quiet: stdio, shared: config.workers > 1 && !stdio }, config.mask);
  }

  #listenForSignals(): void {
    process.on("SIGHUP", () => void this.#reloadInTurn());
    process.on("SIGUSR1", () => void this.#reopenInTurn());
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void this.#stop(signal));
    process.on("uncaughtException", (error) => this.#fault(error));
    process.on("unhandledRejection", (error) => this.#fault(error));
  }

  #fault(error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error({ detail }, "a fault inside the bridge or a module; it goes on, please report it");
  }

  /** After the start, and after those that were asked for before. Undefined: the bridge is ending. */
  #reloadInTurn(): Promise<ReloadOutcome | undefined> {
    const reloading = this.#reloading.then(async () => {
      this.#isReloading = true;
      this.#manager?.reloading();
      // Whatever becomes of the configuration: logrotate(8) has moved the file.
      await this.#reopenLog();
      const outcome = await this.#reload();
      this.#isReloading = false;
      if (!this.#stopping) this.#manager?.ready(outcome?.loaded === false ? REFUSED : undefined);
      return outcome;
    });
    this.#reloading = reloading;
    return reloading;
  }

  /** At once, and once more when a reload is over that may have opened the file before it was moved. */
  async #reopenInTurn(): Promise<void> {
    if (this.#config !== null) await this.#reopenLog();
    if (this.#config === null || this.#isReloading) {
      this.#reloading = this.#reloading.then(() => this.#reopenLog());
    }
  }

  async #reopenLog(): Promise<void> {
    if (this.#config === null || this.#stopping) return;
    try {
      this.#log.use(this.#openLog(this.#config));
      await this.#running?.engine.reopenLog();
    } catch (error) {
      this.#log.error({}, `the log was not opened anew, it goes on as it was: ${(error as Error).message}`);
    }
  }

  /** All or nothing: what can fail comes before the first change. */
  async #reload(): Promise<ReloadOutcome | undefined> {
    if (this.#stopping || this.#running === null) return undefined;
    const { engine, listeners } = this.#running;
    let next: Prepared | undefined;
    let log: OpenLog | undefined;
    let admin: PreparedAdmin | undefined;
    try {
      const { loaded: config, contents } = await keepingContents(this.#options.load);
      next = await engine.prepare(config, contents);
      log = this.#openLog(config);
      if (!this.#options.stdio) admin = await this.#admin?.prepare(config.admin);
      const problem = this.#options.stdio ? undefined : await listeners.apply(config.listeners);
      if (problem !== undefined) throw new Error(problem);
      this.#longestDeadline = Math.max(this.#longestDeadline, longestDeadline(config));
      this.#log.use(log);
      if (!this.#options.stdio) this.#control.follow(config.control);
      await this.#use(next, config);
      admin?.use();
      admin = undefined;
      this.#own.used(true);
      if (config.workers > 1 && engine instanceof BridgeEngine && !this.#options.stdio) {
        this.#log.warn({ workers: config.workers }, "workers beside this process need a restart");
      }
      for (const { message, ...place } of config.warnings) this.#log.warn(place, message);
      this.#log.info(this.#summary(config), "configuration loaded again");
      return this.#reloads.loaded(config.warnings);
    } catch (error) {
      next?.discard();
      void log?.end(0);
      await admin?.discard();
      this.#own.refused();
      this.#logProblems(error, "configuration not loaded, the old one stays in use");
      return this.#reloads.refused(error);
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
    this.#isReady = false;
    this.#log.info({ reason }, "stopping: answering what is in flight");
    const grace = this.#longestDeadline + GRACE;
    this.#manager?.stopping(2 * grace + END_TIME);
    this.#stdio?.drain();
    await Promise.all([
      this.#running?.listeners.close(grace),
      this.#stdio && within(grace, this.#stdio.ended),
    ]);
    await Promise.all([this.#running?.engine.close(grace), this.#telemetry?.close()]);
    await Promise.all([this.#control.close(), this.#admin?.close()]);
    this.#log.info({}, "stopped");
    await this.#log.end();
    this.#manager?.close();
    this.#end();
  }

  #summary(config: Config): object {
    return {
      pid: process.pid,
      config: config.file,
      listen: this.#options.stdio ? ["stdio"] : this.#running?.listeners.endpoints,
      ...(config.workers > 1 && !this.#options.stdio && { workers: config.workers }),
      services: Object.fromEntries(
        [...config.services.values()].map(({ name, mapping, urls }) => [
          name,
          `${mapping.name} at ${urls.map(originOf).join(", ")}`,
        ]),
      ),
      ...(this.#options.offline || config.offline !== false
        ? { offline: this.#options.offline || config.offline }
        : {}),
    };
  }
}

/** What the service manager may have bound. */
function endpointsOf({ listeners, control, admin }: Config) {
  const own = Object.entries({ control, admin }).flatMap(([name, config]) =>
    config === undefined ? [] : [{ endpoint: config.endpoint, name }],
  );
  return [...listeners, ...own];
}

function originOf(url: string): string {
  return url.startsWith("unix:") ? url : new URL(url).origin;
}
