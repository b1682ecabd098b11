/**
 * An authorization service as the rest of the bridge sees it: a call goes in, an answer or a failure comes out,
 * within the deadline.
 */

import { Call, type CallContext, type CallResult, type Endpoint, type Question } from "./call.ts";
import { CallHeaders } from "./headers.ts";
import { Circuit, type CircuitReport } from "./limits/circuit.ts";
import { Limiter, type LimiterReport } from "./limits/limiter.ts";
import type { UpstreamEvents, UpstreamOptions } from "./options.ts";
import { pathJoiner } from "./target.ts";
import { ConnectionPool } from "./transport/connection-pool.ts";
import { type Resolver, systemResolver } from "./transport/resolver.ts";
import { TlsFiles } from "./transport/tls-files.ts";

const MAX_REPLY_SIZE = 1024 * 1024;
const MAX_CONNECTION_AGE = 300_000;

export interface UpstreamReport extends LimiterReport {
  readonly circuits: readonly ({ readonly url: string } & CircuitReport)[];
}

export class Upstream {
  readonly name: string;
  readonly #context: CallContext;
  readonly #tls: TlsFiles | null;
  readonly #endpoints: readonly Endpoint[];
  #calls = 0;
  #closed: Promise<void> | null = null;
  #lastCallEnded: () => void = () => {};

  /** @throws Error that says which file of `tls` cannot be used, and why */
  constructor(options: UpstreamOptions, events: UpstreamEvents) {
    this.name = options.name;
    this.#tls = options.urls.some((url) => url.protocol === "https:")
      ? new TlsFiles(options.tls, (ok, detail) => this.#reloaded(ok, detail, events))
      : null;
    const resolver = options.resolver ?? systemResolver;
    this.#endpoints = options.urls.map((url) => endpointOf(url, options, resolver, this.#tls, events));
    this.#context = {
      name: options.name,
      endpoints: this.#endpoints,
      limiter: new Limiter(options.maxInFlight),
      headers: new CallHeaders(options.userAgent, options.headers, options.authenticator.headerNames),
      authenticator: options.authenticator,
      seal: options.seal,
      retry: options.retry,
    };
  }

  /** How the service's calls stand: one circuit for each URL, in the order of the configuration. */
  get report(): UpstreamReport {
    const circuits = this.#endpoints.map(({ url, circuit }) => ({ url, ...circuit.report }));
    return { circuits, ...this.#context.limiter.report };
  }

  /** Asks the service. Never rejects, and ends with the deadline at the latest. */
  call<T extends object>(question: Question<T>): Promise<CallResult<T>> {
    this.#calls++;
    return new Promise((resolve) => {
      const done = (result: CallResult<T>) => {
        resolve(result);
        if (--this.#calls === 0) this.#lastCallEnded();
      };
      new Call(this.#context, question, done).start();
    });
  }

  /** Resolves when the calls under way have ended, each in its own time, and nothing is open any more. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const { pool } of this.#endpoints) pool.close();
    this.#tls?.close();
    if (this.#calls > 0) {
      await new Promise<void>((resolve) => {
        this.#lastCallEnded = resolve;
      });
    }
    for (const { circuit } of this.#endpoints) circuit.close();
  }

  #reloaded(ok: boolean, detail: string, events: UpstreamEvents): void {
    if (ok) for (const { pool } of this.#endpoints) pool.retire();
    events.onCertificates(ok, detail);
  }
}

function endpointOf(
  url: URL,
  options: UpstreamOptions,
  resolver: Resolver,
  tls: TlsFiles | null,
  events: UpstreamEvents,
): Endpoint {
  const secure = url.protocol === "https:";
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const { serverName } = options.tls;
  // Query and credentials of a URL may be secrets.
  const shown = url.origin + url.pathname.replace(/\/$/, "");
  return {
    url: shown,
    origin: url.origin,
    hostname,
    join: pathJoiner(url),
    timeout: options.timeout,
    maxReplySize: options.maxReplySize ?? MAX_REPLY_SIZE,
    circuit: new Circuit(options.breaker, (state, detail) => events.onCircuit(shown, state, detail)),
    pool: new ConnectionPool({
      origin: url.origin,
      hostname,
      port: Number(url.port) || (secure ? 443 : 80),
      resolver,
      tls: secure ? tls : null,
      ...(serverName === undefined ? {} : { serverName }),
      maxAge: options.maxConnectionAge ?? MAX_CONNECTION_AGE,
      pipelining: options.pipelining ?? 1,
      http2: options.http2 ?? false,
    }),
  };
}
