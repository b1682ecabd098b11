/**
 * An authorization service as the rest of the bridge sees it: a call goes in, an answer or a failure comes out,
 * within the deadline.
 */

import { isFailure } from "../model/failure.ts";
import { discoveredPath, metadataPlace } from "./authzen-metadata.ts";
import { Call, type CallContext, type CallResult, type Endpoint, type Question } from "./call.ts";
import { Discovery, type DiscoveryReport, MAX_METADATA_SIZE } from "./discovery.ts";
import { CallHeaders } from "./headers.ts";
import { Circuit, type CircuitReport } from "./limits/circuit.ts";
import { Limiter, type LimiterReport } from "./limits/limiter.ts";
import { AttemptMeter } from "./meter.ts";
import type { UpstreamEvents, UpstreamOptions } from "./options.ts";
import { pathJoiner } from "./target.ts";
import type { Destination } from "./transport/connection.ts";
import { ConnectionPool } from "./transport/connection-pool.ts";
import { isTunneled, targetOf } from "./transport/opening.ts";
import type { HttpProxy } from "./transport/proxy.ts";
import { type Resolver, systemResolver } from "./transport/resolver.ts";
import type { TlsTerms } from "./transport/tls-failure.ts";
import { TlsFiles } from "./transport/tls-files.ts";
import type { TlsOptions } from "./transport/tls-options.ts";

const MAX_REPLY_SIZE = 1024 * 1024;
const MAX_CONNECTION_AGE = 300_000;

export interface UpstreamReport extends LimiterReport {
  readonly circuits: readonly ({
    readonly url: string;
    /** Absent: nothing is discovered. */
    readonly discovery?: DiscoveryReport;
  } & CircuitReport)[];
}

export class Upstream {
  readonly name: string;
  readonly #context: CallContext;
  readonly #tls: TlsFiles | null;
  /** For documents that are not where the service is. */
  readonly #discoveryTls: TlsFiles | null;
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
    const { sampling = null } = options;
    const { headerNames } = options.authenticator;
    const headers = new CallHeaders(options.userAgent, options.headers, headerNames, sampling !== null);
    this.#discoveryTls = tlsForDiscovery(options);
    const shared = { options, resolver, tls: this.#tls, discoveryTls: this.#discoveryTls, headers, events };
    this.#endpoints = options.urls.map((url) => endpointOf(url, shared));
    this.#context = {
      name: options.name,
      endpoints: this.#endpoints,
      limiter: new Limiter(options.maxInFlight),
      headers,
      authenticator: options.authenticator,
      seal: options.seal,
      retry: options.retry,
      meter: options.meter ?? new AttemptMeter(),
      sampling,
    };
  }

  /** How the service's calls stand: one circuit for each URL, in the order of the configuration. */
  get report(): UpstreamReport {
    const circuits = this.#endpoints.map(({ url, circuit, discovery }) => ({
      url,
      ...(discovery !== null && { discovery: discovery.report }),
      ...circuit.report,
    }));
    return { circuits, ...this.#context.limiter.report };
  }

  /** Finds out where the service is asked, before the first call has to. */
  discover(): void {
    for (const { discovery } of this.#endpoints) void discovery?.ready(false);
  }

  /** Whether several AuthZEN evaluations can be asked for at once; no, where the service says so or has not said yet. */
  get takesBatches(): boolean {
    return this.#endpoints.every(
      ({ discovery }) => discovery === null || (discovery.known?.evaluations ?? null) !== null,
    );
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
    this.#discoveryTls?.close();
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

/** What the URLs of a service share. */
interface Shared {
  readonly options: UpstreamOptions;
  readonly resolver: Resolver;
  readonly tls: TlsFiles | null;
  readonly discoveryTls: TlsFiles | null;
  readonly headers: CallHeaders;
  readonly events: UpstreamEvents;
}

/** What a failure of TLS is told by. */
export function termsOf({ minVersion = "TLSv1.2", legacy = false, cert, pkcs12 }: TlsOptions): TlsTerms {
  const certificate = cert !== undefined ? "tls.cert" : pkcs12 !== undefined ? "tls.pkcs12" : null;
  return { minVersion, legacy, certificate };
}

function endpointOf(configured: URL, shared: Shared): Endpoint {
  const { options, events } = shared;
  const { serverName } = options.tls;
  const socketPath = configured.protocol === "unix:" ? decodeURIComponent(configured.pathname) : undefined;
  const url = socketPath === undefined ? configured : new URL(`http://${options.host ?? "localhost"}/`);
  const destination = {
    ...destinationOf(url, shared.tls, shared, options.http2 ?? false),
    ...(socketPath !== undefined && { socketPath, proxy: null }),
    ...(serverName === undefined ? {} : { serverName }),
    pipelining: options.pipelining ?? 1,
  };
  const shown = shownAs(configured, destination.proxy);
  const target = {
    url: shown,
    hostname: hostnameOf(url),
    tls: url.protocol === "https:" ? termsOf(options.tls) : null,
    forwarder: forwarderOf(destination),
    timeout: options.timeout,
    pool: new ConnectionPool(destination),
  };
  const discovery =
    options.discover === undefined ? null : discoveryOf(url, options.discover, target, shared);
  const join = pathJoiner(url);
  return {
    ...target,
    origin: url.origin,
    join: discovery === null ? join : discoveredJoiner(join, discovery),
    maxReplySize: options.maxReplySize ?? MAX_REPLY_SIZE,
    circuit: new Circuit(options.breaker, (state, detail) => events.onCircuit(shown, state, detail)),
    discovery,
  };
}

/** Without query and credentials, which may be secrets. */
function shownAs(url: URL, proxy: HttpProxy | null): string {
  const path = url.pathname.replace(/\/$/, "");
  const address = url.protocol === "unix:" ? `unix:${path}` : url.origin + path;
  return proxy === null ? address : `${address} via ${proxy.url}`;
}

function forwarderOf(destination: Destination): Endpoint["forwarder"] {
  const { proxy } = destination;
  return proxy === null || isTunneled(destination) ? null : { proxy, target: targetOf(destination) };
}

function discoveredJoiner(join: (path: string) => string, discovery: Discovery): (path: string) => string {
  return (path) => (discovery.known && discoveredPath(path, discovery.known)) ?? join(path);
}

function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

function destinationOf(url: URL, tls: TlsFiles | null, { options, resolver }: Shared, http2: boolean) {
  const secure = url.protocol === "https:";
  return {
    origin: url.origin,
    hostname: hostnameOf(url),
    port: Number(url.port) || (secure ? 443 : 80),
    resolver,
    tls: secure ? tls : null,
    proxy: options.proxy?.(url) ?? null,
    http2,
    maxAge: options.maxConnectionAge ?? MAX_CONNECTION_AGE,
  };
}

/** Credentials, fixed headers and a client certificate go to the service's own origin alone. */
function discoveryOf(
  url: URL,
  { address }: NonNullable<UpstreamOptions["discover"]>,
  target: Pick<Endpoint, "pool" | "timeout" | "url" | "forwarder">,
  shared: Shared,
): Discovery {
  const { options, headers, events, discoveryTls } = shared;
  const place = metadataPlace(url, address);
  const own = place.address.origin === url.origin;
  const anonymous = new CallHeaders(options.userAgent, {}, []);
  const elsewhere = { ...destinationOf(place.address, discoveryTls, shared, false), pipelining: 1 };
  return new Discovery({
    place,
    target: {
      url: shownAs(place.address, elsewhere.proxy),
      hostname: hostnameOf(place.address),
      tls: place.address.protocol === "https:" ? termsOf(own ? options.tls : {}) : null,
      forwarder: own ? target.forwarder : forwarderOf(elsewhere),
      pool: own ? target.pool : new ConnectionPool(elsewhere),
      join: () => {
        const { pathname } = place.address;
        const { query } = options.authenticator;
        return own && query !== undefined ? `${pathname}?${query.pair()}` : pathname;
      },
      timeout: target.timeout,
      maxReplySize: MAX_METADATA_SIZE,
    },
    async headers(requestId) {
      if (!own) return anonymous.assemble({}, requestId, {});
      const credentials = await options.authenticator.headers();
      return isFailure(credentials) ? credentials : headers.assemble({}, requestId, credentials);
    },
    onChange: (ok, detail) => events.onDiscovery?.(target.url, ok, detail),
  });
}

/** For a document on another host: the authority that is trusted, and no certificate that says who asks. */
function tlsForDiscovery({ discover, urls, tls: { ca } }: UpstreamOptions): TlsFiles | null {
  const address = discover?.address;
  if (address === undefined || address.protocol !== "https:") return null;
  if (urls.every((url) => url.origin === address.origin)) return null;
  return new TlsFiles(ca === undefined ? {} : { ca }, () => {});
}
