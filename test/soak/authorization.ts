/**
 * The authorization service as the soak has it: started, killed, started again on the same port, told whom to refuse,
 * and a ledger of what it has said.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Cause } from "../../src/model/failure.ts";
import { freePort } from "../support/temporary.ts";
import type { Revoke, Told } from "./service.ts";

/** What the service said to one call, and when. */
export interface Entry {
  /** First reply; Infinity: it has never answered this call. */
  repliedAt: number;
  readonly failures: { readonly at: number; readonly outcome: Cause | "slow" }[];
}

/** All that the service has told of, by call. */
export class Ledger {
  readonly entries = new Map<string, Entry>();
  /** When each call came. */
  readonly calls: number[] = [];

  add({ key, at, outcome }: Told): void {
    this.calls.push(at);
    let entry = this.entries.get(key);
    if (entry === undefined) {
      entry = { repliedAt: Number.POSITIVE_INFINITY, failures: [] };
      this.entries.set(key, entry);
    }
    if (outcome === "reply" || outcome === "slow") entry.repliedAt = Math.min(entry.repliedAt, at);
    if (outcome !== "reply") entry.failures.push({ at, outcome });
  }
}

export class Authorization {
  readonly ledger = new Ledger();
  readonly port: number;
  readonly #token: string;
  readonly #revoked: string[] = [];
  #process: ChildProcess | null = null;

  private constructor(port: number, token: string) {
    this.port = port;
    this.#token = token;
  }

  static async start(token: string): Promise<Authorization> {
    const service = new Authorization(await freePort(), token);
    await service.start();
    return service;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(): Promise<void> {
    const child = fork(join(import.meta.dirname, "service.js"), [String(this.port), this.#token]);
    this.#process = child;
    child.on("message", (message: Told | Revoke | "listening") => {
      if (typeof message === "object" && "key" in message) this.ledger.add(message);
    });
    const message: Revoke = { revoke: this.#revoked };
    child.send(message);
    await this.#told((told) => told === "listening");
  }

  /** Resolves when it refuses the sender; one that is away will when it is started. */
  async revoke(sender: string): Promise<void> {
    this.#revoked.push(sender);
    if (this.#process === null) return;
    const message: Revoke = { revoke: [sender] };
    this.#process.send(message, () => {});
    await this.#told((told) => typeof told === "object" && "revoke" in told && told.revoke.includes(sender));
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** Resolves when the process has said so, or has ended. */
  #told(isMeant: (message: Told | Revoke | "listening") => boolean): Promise<void> {
    const child = this.#process!;
    return new Promise((resolve) => {
      const look = (message: Told | Revoke | "listening") => {
        if (isMeant(message)) done();
      };
      const done = () => {
        child.off("message", look);
        child.off("exit", done);
        resolve();
      };
      child.on("message", look);
      child.on("exit", done);
    });
  }
}
