/**
 * The control endpoint over the life of the bridge: bound while the process has its first rights, opened when there is
 * a bridge to control, kept through reloads, closed at the end. Without `control` in the configuration it is nothing.
 */
import type { ControlConfig } from "../config/config.ts";
import type { Log } from "../observe/log.ts";
import { BridgeControls, type Controlled } from "./bridge-controls.ts";
import { ControlServer } from "./server.ts";
import { StateFile } from "./state-file.ts";

export class ControlEndpoint {
  readonly #log: Log;
  #config: ControlConfig | undefined;
  #server: ControlServer | null = null;
  #controls: BridgeControls | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  /** @throws Error that says why it cannot be bound, and what to do */
  async bind(config: ControlConfig | undefined): Promise<void> {
    this.#config = config;
    if (config === undefined) return;
    const server = await ControlServer.open(config, this.#log);
    if ("problem" in server) throw new Error(server.problem);
    this.#server = server;
  }

  /** Brings back what was switched by hand; to be called before the first decision, so that it holds from there on. */
  async restore(controlled: Omit<Controlled, "state" | "log">): Promise<void> {
    if (this.#server === null || this.#config === undefined) return;
    const state = new StateFile(this.#config.state, this.#config.formerState);
    this.#controls = await BridgeControls.open({ ...controlled, state, log: this.#log });
  }

  /** From now on commands are carried out. */
  serve(): void {
    if (this.#controls !== null) this.#server?.serve(this.#controls);
  }

  /** After a reload: another token counts at once, the rest is bound to the start. What is bound is never weakened. */
  follow(next: ControlConfig | undefined): void {
    if (fixed(this.#config) !== fixed(next)) {
      this.#log.warn({}, "what has changed under control, but for the token, needs a restart");
    }
    if (next?.token !== undefined) this.#server?.setToken(next.token);
    else if (this.#server?.hasToken) {
      const fields = { control: this.#server.endpoint };
      this.#log.warn(fields, "the control endpoint that is bound keeps its token until a restart");
    }
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }
}

function fixed(config: ControlConfig | undefined): string {
  return JSON.stringify({ ...config, token: undefined });
}
