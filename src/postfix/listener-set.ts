/**
 * All listeners of the bridge: bound as the configuration says, and brought in line with the next one on reload
 * without touching a connection.
 */
import { Clients } from "./clients.ts";
import type { ConnectionLog, PolicyHandler } from "./connection.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { type ListenerOptions, listen } from "./listener.ts";
import type { SocketRights } from "./socket-file.ts";

/** One entry of `listen`. */
export interface ListenerSettings extends SocketRights {
  readonly endpoint: Endpoint;
  readonly name: string;
}

/** Connections that are open now, and requests that were complete since the start. */
export interface ListenerReport {
  readonly endpoint: string;
  readonly name: string;
  readonly connections: number;
  readonly requests: number;
  readonly accepted: number;
  readonly refused: number;
  readonly malformed: number;
}

/** A listener as the set sees it: `PolicyListener`, or one that hands connections to other processes. */
export interface Listener {
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly connections: number;
  readonly requests: number;
  /** Connections since the start, and those that were not taken. */
  readonly accepted: number;
  readonly refused: number;
  /** Requests that were none. */
  readonly malformed: number;
  setHandler(handle: PolicyHandler): void;
  stopAccepting(): void;
  close(options: { readonly graceMs: number }): Promise<void>;
}

type OpenListener = (options: ListenerOptions) => Promise<Listener | { readonly problem: string }>;

interface Bound {
  readonly settings: ListenerSettings;
  readonly listener: Listener;
}

export class ListenerSet {
  readonly #log: ConnectionLog;
  readonly #open: OpenListener;
  readonly #clients = new Clients();
  #handle: PolicyHandler;
  #bound: readonly Bound[] = [];
  /** No longer in the configuration; their connections live on until Postfix ends them. */
  #retired: readonly Listener[] = [];

  constructor(handle: PolicyHandler, log: ConnectionLog, open: OpenListener = listen) {
    this.#handle = handle;
    this.#log = log;
    this.#open = open;
  }

  /** The endpoints that are bound, with the ports that the system chose. */
  get endpoints(): readonly string[] {
    return this.#bound.map(({ listener }) => formatEndpoint(listener.endpoint));
  }

  /** What goes on where, also where nothing is accepted any more. */
  get report(): readonly ListenerReport[] {
    return this.#all().map(({ endpoint, name, connections, requests, accepted, refused, malformed }) => ({
      endpoint: formatEndpoint(endpoint),
      name,
      connections,
      requests,
      accepted,
      refused,
      malformed,
    }));
  }

  /** From now on requests go to `handle`; those being decided are answered as they began. */
  setHandler(handle: PolicyHandler): void {
    this.#handle = handle;
    for (const listener of this.#all()) listener.setHandler(handle);
  }

  /** Keeps descriptors back from clients, for calls and what they need. */
  keepBack(descriptors: number): void {
    this.#clients.keepBack(descriptors);
  }

  /**
   * Binds what is new in `wanted`, and stops accepting where it is no longer in it. Where something cannot be bound,
   * all stays as it was.
   *
   * @returns the problem, or undefined
   */
  async apply(wanted: readonly ListenerSettings[]): Promise<string | undefined> {
    const bound: Bound[] = [];
    for (const settings of wanted) {
      const present = this.#bound.find((other) => sameEndpoint(other.settings, settings));
      if (present !== undefined) {
        if (JSON.stringify(present.settings) !== JSON.stringify(settings)) {
          const fields = { listener: present.settings.name };
          this.#log.warn(fields, "the new name, mode, owner and group of this listener need a restart");
        }
        bound.push(present);
        continue;
      }
      const { endpoint, name } = settings;
      const listener = await this.#open({
        endpoint,
        name,
        rights: settings,
        handle: this.#handle,
        log: this.#log,
        clients: this.#clients,
      });
      if ("problem" in listener) {
        const added = bound.filter((entry) => !this.#bound.includes(entry));
        await Promise.all(added.map((entry) => entry.listener.close({ graceMs: 0 })));
        return listener.problem;
      }
      bound.push({ settings, listener });
    }
    const removed = this.#bound.filter((entry) => !bound.includes(entry)).map(({ listener }) => listener);
    for (const listener of removed) listener.stopAccepting();
    this.#retired = [...this.#retired, ...removed].filter(({ connections }) => connections > 0);
    this.#bound = bound;
    return undefined;
  }

  /** Answers what has been received complete, then ends all connections, within `graceMs` milliseconds. */
  async close(graceMs: number): Promise<void> {
    await Promise.all(this.#all().map((listener) => listener.close({ graceMs })));
  }

  #all(): readonly Listener[] {
    return [...this.#bound.map(({ listener }) => listener), ...this.#retired];
  }
}

function sameEndpoint(a: ListenerSettings, b: ListenerSettings): boolean {
  return formatEndpoint(a.endpoint) === formatEndpoint(b.endpoint);
}
