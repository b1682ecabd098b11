/**
 * The admin endpoint over the life of the bridge: bound while the process has its first rights, and again with each reload
 * that gives it another address. Without `admin` in the configuration it is nothing.
 *
 * A reload that cannot have its address is refused as a whole. What stays bound is never weakened: a token or password can
 * be replaced, not taken off.
 */
import type { AdminConfig } from "../config/config.ts";
import { type Credentials, Gate } from "../http/gate.ts";
import { HttpEndpoint } from "../http/server.ts";
import type { Log } from "../observe/log.ts";
import { formatEndpoint } from "../postfix/endpoint.ts";
import { OPEN_PATHS, Pages } from "./pages.ts";
import type { Seen } from "./seen.ts";

/** What was made ready; exactly one of these is to be called. */
export interface PreparedAdmin {
  use(): void;
  discard(): Promise<void>;
}

interface Bound {
  readonly config: AdminConfig;
  readonly http: HttpEndpoint;
  readonly gate: Gate;
}

export class AdminEndpoint {
  readonly #seen: Seen;
  readonly #pages: Pages;
  readonly #log: Log;
  #bound: Bound | null = null;

  constructor(seen: Seen, log: Log) {
    this.#seen = seen;
    this.#pages = new Pages(seen);
    this.#log = log;
  }

  /**
   * Makes ready what a configuration says: what is to be bound anew is bound, and nothing else has changed yet.
   *
   * @throws Error that says why it cannot be, and what to do
   */
  async prepare(config: AdminConfig | undefined): Promise<PreparedAdmin> {
    const former = this.#bound;
    if (config === undefined) return { use: () => this.#replace(null), discard: async () => {} };
    if (former !== null && former.http.endpoint === formatEndpoint(config.endpoint)) {
      return { use: () => this.#follow(former, config), discard: async () => {} };
    }
    const bound = await this.#bind(config);
    return { use: () => this.#replace(bound), discard: () => bound.http.close() };
  }

  async close(): Promise<void> {
    await this.#bound?.http.close();
    this.#bound = null;
  }

  async #bind(config: AdminConfig): Promise<Bound> {
    const { endpoint, tls } = config;
    const gate = new Gate(
      { key: "admin", endpoint, credentials: credentialsOf(config), ownPages: true },
      this.#log,
    );
    const http = await HttpEndpoint.open(
      {
        key: "admin",
        endpoint,
        rights: config,
        tls: tls && { cert: tls.cert, key: tls.key.reveal() },
        gate,
        open: OPEN_PATHS,
        answer: (request) => this.#pages.answer(request, gate.knows(request)),
        failed: async (error) => this.#seen.mask(error.message),
      },
      this.#log,
    );
    if ("problem" in http) {
      gate.close();
      throw new Error(http.problem);
    }
    return { config, http, gate };
  }

  #replace(next: Bound | null): void {
    const former = this.#bound;
    this.#bound = next;
    void former?.http.close();
  }

  /** At the same address: other credentials and another certificate count at once. */
  #follow(bound: Bound, config: AdminConfig): void {
    const fields = { admin: bound.http.endpoint };
    if (fixed(bound.config) !== fixed(config)) {
      this.#log.warn(
        fields,
        "mode, owner and group of the admin endpoint, and whether it has tls, need a restart",
      );
    }
    if (config.tls !== undefined) bound.http.useTls({ cert: config.tls.cert, key: config.tls.key.reveal() });
    const credentials = credentialsOf(config);
    if (credentials.token !== undefined || credentials.basic !== undefined) bound.gate.use(credentials);
    else if (bound.gate.isLocked) {
      this.#log.warn(fields, "the admin endpoint that is bound keeps its token or password until a restart");
    }
    this.#bound = { ...bound, config };
  }
}

/** What cannot change without being bound anew. */
function fixed({ mode, owner, group, tls }: AdminConfig): string {
  return JSON.stringify([mode, owner, group, tls !== undefined]);
}

function credentialsOf({ token, basic }: AdminConfig): Credentials {
  return { token, basic };
}
