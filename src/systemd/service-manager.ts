/**
 * The service manager that started the bridge, told how it is: ready, loading its configuration again, stopping, and
 * time and again that it works (sd_notify(3)). Without NOTIFY_SOCKET, or without the package that it takes, each of
 * these does nothing.
 *
 * It works when it can say how it stands: with workers, when one of them can. A process whose event loop hangs says
 * nothing, and is started again when WATCHDOG_USEC have passed.
 */
import type { EngineStatus } from "../bridge/status.ts";
import type { Log } from "../observe/log.ts";
import { LATE, within } from "../time/within.ts";
import { type NotifySocket, openNotifySocket } from "./notify-socket.ts";
import { statusLine } from "./status-line.ts";

/** The status is looked at as often, in milliseconds; more often where the watchdog wants it. */
const LOOK_EVERY = 10_000;
/** Looks within the time of the watchdog: one may come late. */
const LOOKS = 3;
/** What may be said of a start that failed, in characters. */
const LONGEST = 500;
const UNTOLD = "the service manager cannot be told how the bridge is";
const VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

export class ServiceManager {
  readonly #socket: NotifySocket | null;
  /** In milliseconds; null: nobody watches. */
  readonly #watchdog: number | null;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #isStopping = false;
  /** What was said last. */
  #status = "";
  /** What became of the last reload, where that is worth a word. */
  #remark = "";

  /** Why nothing can be told; kept until there is a log. */
  #untold: string | undefined;
  readonly #log: Log;

  private constructor(socket: NotifySocket | null, watchdog: number | null, log: Log, untold?: string) {
    this.#socket = socket;
    this.#watchdog = watchdog;
    this.#log = log;
    this.#untold = untold;
  }

  /** Takes its variables out of `env`: they are not meant for what the bridge starts. */
  static async open(env: NodeJS.ProcessEnv, log: Log): Promise<ServiceManager> {
    const { NOTIFY_SOCKET, WATCHDOG_USEC = "", WATCHDOG_PID } = env;
    for (const variable of VARIABLES) delete env[variable];
    if (!NOTIFY_SOCKET) return new ServiceManager(null, null, log);
    let hasComplained = false;
    const socket = await openNotifySocket(NOTIFY_SOCKET, (detail) => {
      if (!hasComplained) log.warn({ detail }, UNTOLD);
      hasComplained = true;
    });
    if ("problem" in socket) return new ServiceManager(null, null, log, socket.problem);
    const isWatched = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid;
    const watchdog = isWatched && Number(WATCHDOG_USEC) > 0 ? Number(WATCHDOG_USEC) / 1000 : null;
    return new ServiceManager(socket, watchdog, log);
  }

  /**
   * Listeners are bound and a configuration is in use.
   *
   * @param remark what an operator should know of the last reload
   */
  ready(remark = ""): void {
    this.#remark = remark;
    if (this.#untold !== undefined) this.#log.warn({ detail: this.#untold }, UNTOLD);
    this.#untold = undefined;
    this.#socket?.send(["READY=1", ...(remark === "" ? [] : [`STATUS=${remark}`])]);
    if (remark !== "") this.#status = remark;
  }

  /** From now on it is said whether the bridge works, and how it stands. */
  watch(look: () => Promise<EngineStatus>): void {
    if (this.#socket === null || this.#timer !== undefined) return;
    const pause = Math.min(LOOK_EVERY, (this.#watchdog ?? Number.POSITIVE_INFINITY) / LOOKS);
    this.#timer = setInterval(() => void this.#look(look, pause), pause);
    void this.#look(look, pause);
  }

  reloading(): void {
    // CLOCK_MONOTONIC, as hrtime has it on Linux.
    const now = process.hrtime.bigint() / 1000n;
    this.#socket?.send(["RELOADING=1", `MONOTONIC_USEC=${now}`]);
  }

  /** @param time milliseconds that the end may take */
  stopping(time: number): void {
    this.#socket?.send([
      "STOPPING=1",
      "STATUS=stopping: answering what is in flight",
      `EXTEND_TIMEOUT_USEC=${Math.ceil(time) * 1000}`,
    ]);
    this.#isStopping = true;
    clearInterval(this.#timer);
  }

  /** It could not start. */
  failed(error: unknown): void {
    const [line = ""] = (error as Error).message.split("\n");
    this.#socket?.send([`STATUS=not started: ${line.slice(0, LONGEST)}`]);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket?.close();
  }

  async #look(look: () => Promise<EngineStatus>, time: number): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const status = await within(time, look());
      if (status === LATE || !works(status) || this.#isStopping) return;
      const line = [statusLine(status, Date.now()), this.#remark].filter((part) => part !== "").join("; ");
      const lines = [
        ...(this.#watchdog === null ? [] : ["WATCHDOG=1"]),
        ...(line === this.#status ? [] : [`STATUS=${line}`]),
      ];
      this.#status = line;
      if (lines.length > 0) this.#socket?.send(lines);
    } catch {
      // A bridge that cannot say how it stands does not work: the watchdog is not told.
    } finally {
      this.#isLooking = false;
    }
  }
}

function works({ workers }: EngineStatus): boolean {
  return workers === undefined || workers.some(({ answers }) => answers);
}
