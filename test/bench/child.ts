/** A process of the bench's own, on its core: a server that tells its port, or a worker that takes one job after another. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Place, placed } from "./cores.ts";

export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;

  /** @param script a file of process/, without its extension */
  constructor(place: Place, script: string, ...parameters: string[]) {
    const file = new URL(`./process/${script}.js`, import.meta.url).pathname;
    const [command, all] = placed(place, process.execPath, [file, ...parameters]);
    this.#process = spawn(command, all, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.pid = this.#process.pid!;
  }

  /** A server's port, once it listens. */
  port(): Promise<number> {
    return this.#answer<number>();
  }

  /** Gives a job, and what comes of it. */
  work<R>(job: object): Promise<R> {
    this.#process.send(job);
    return this.#answer<R>();
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }

  async #answer<R>(): Promise<R> {
    const gone = new AbortController();
    const onExit = () => gone.abort();
    this.#process.once("exit", onExit);
    try {
      const [{ result, error }] = await once(this.#process, "message", { signal: gone.signal });
      if (error !== undefined) throw new Error(error);
      return result;
    } finally {
      this.#process.off("exit", onExit);
    }
  }
}
