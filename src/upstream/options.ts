/** What a service is called with, and what it tells while it is being called. */

import type { UpstreamReply } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import type { Authenticator } from "./auth.ts";
import type { DiscoveryReport } from "./discovery.ts";
import type { BreakerOptions, CircuitState } from "./limits/circuit.ts";
import type { AttemptMeter } from "./meter.ts";
import type { RetryOptions } from "./retry.ts";
import type { Sampling } from "./trace-context.ts";
import type { HttpProxy } from "./transport/proxy.ts";
import type { Resolver } from "./transport/resolver.ts";
import type { TlsOptions } from "./transport/tls-options.ts";

/** All times in milliseconds. */
export interface UpstreamOptions {
  readonly name: string;
  /** http, https or unix (the path of a socket file), in the order in which they are tried; at least one. */
  readonly urls: readonly URL[];
  /** For one attempt, from the lookup of the name to the last byte. */
  readonly timeout: number;
  readonly retry: RetryOptions;
  readonly breaker: BreakerOptions;
  /** Attempts at once, over all URLs; `auto` finds out by latency. */
  readonly maxInFlight: number | "auto";
  /** Sent with each call; secrets revealed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly authenticator: Authenticator;
  /** Gives the body as one attempt sends it to `url`, the whole address; what it adds must differ from attempt to attempt. */
  readonly seal?: ((body: string, url: string) => string) | undefined;
  readonly tls: TlsOptions;
  /** The proxy by which a URL is reached, null for none. Default: none. */
  readonly proxy?: (url: URL) => HttpProxy | null;
  /** The name of a service at a socket file, for `Host`, TLS and HTTP/2. Default: localhost. */
  readonly host?: string;
  /** Whether the service says itself where it is asked by AuthZEN, and where that stands if not at the usual place. */
  readonly discover?: { readonly address?: URL };
  /** Attempts at once on a connection that speaks HTTP/1.1. Default: 1. */
  readonly pipelining?: number;
  /** Whether to speak HTTP/2 with services that can. Default: false. */
  readonly http2?: boolean;
  /** What knows the addresses of names. Default: what the process knows. */
  readonly resolver?: Resolver;
  /** Which traces are recorded, as each call says; null, or left out: calls say nothing of a trace. */
  readonly sampling?: Sampling | null;
  /** Told how each attempt ends. */
  readonly meter?: AttemptMeter;
  /** As in `pfxbridge/1.0`. */
  readonly userAgent: string;
  /** Bytes of a reply's body, also after decompression. Default: 1 MiB. */
  readonly maxReplySize?: number;
  /** After which no call is made on a connection any more. Default: 5 minutes. */
  readonly maxConnectionAge?: number;
}

/** What happens to a service between the calls, for the log. */
export interface UpstreamEvents {
  onCircuit(url: string, state: CircuitState, detail: string): void;
  /** The files of `tls` changed: whether the new ones are in use. */
  onCertificates(ok: boolean, detail: string): void;
  /** Where it is asked is known, or has changed; or it cannot be had. */
  onDiscovery?(url: string, ok: boolean, detail: string): void;
}

/** Where an attempt leads. */
export interface AttemptPlace {
  readonly origin: string;
  /** Joins a call's path to the URL's. */
  readonly join: (path: string) => string;
}

/** Told of each step of one call; what it is handed is there anyway, and must not be changed. */
export interface Trace {
  /** Whether each step is worth a call of its own, that goes out in no batch. */
  readonly alone: boolean;
  /** Credentials had to be fetched first, or failed to be. */
  onCredentials?(place: string, failure: Failure | null, milliseconds: number): void;
  /** Where the next attempt is made, as the service says of itself. */
  onDiscovered?(report: DiscoveryReport): void;
  /** The reply to what was asked for others, or for several at once, answers this call, too. */
  onShared(how: "joined" | "batch", reply: UpstreamReply): void;
  /**
   * @param path of the call, below the URL's; secrets may be in it
   * @param headers as sent, names in lower case and values in turn; secrets are in it
   * @param body as sent; the same
   */
  onAttempt(
    attempt: number,
    place: AttemptPlace,
    path: string,
    headers: readonly string[],
    body: string | null,
  ): void;
  onReply(attempt: number, reply: UpstreamReply, milliseconds: number): void;
  /** An attempt ended without a complete reply. */
  onFailure(attempt: number, failure: Failure, milliseconds: number): void;
}
