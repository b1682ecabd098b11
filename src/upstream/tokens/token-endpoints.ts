/**
 * The addresses that tokens come from, called as services are: with circuits of their own, the deadline, the limits on a
 * reply, and the words for what goes wrong. No redirect is followed, so that credentials go nowhere else.
 */
import { randomUUID } from "node:crypto";
import type { UpstreamReply, UpstreamRequest } from "../../model/exchange.ts";
import { type Failure, isFailure } from "../../model/failure.ts";
import { Deadline } from "../../time/deadline.ts";
import { anonymous } from "../auth.ts";
import type { UpstreamEvents, UpstreamOptions } from "../options.ts";
import { Upstream } from "../upstream.ts";
import { isSafe, shown } from "./address.ts";

/** A token, or the metadata of an authorization server, is smaller; in bytes. */
const MAX_REPLY = 256 * 1024;
/** Metadata may name others from time to time. */
const MOST_ENDPOINTS = 4;

export interface TokenEndpointOptions
  extends Omit<UpstreamOptions, "urls" | "headers" | "authenticator" | "maxReplySize"> {
  /** For one call with all of its attempts, in milliseconds. */
  readonly deadline: number;
}

export class TokenEndpoints {
  readonly #options: TokenEndpointOptions;
  readonly #events: UpstreamEvents;
  readonly #upstreams = new Map<string, Upstream>();
  readonly #closing = new Set<Promise<void>>();
  #closed = false;

  constructor(options: TokenEndpointOptions, events: UpstreamEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** A complete reply below 500, or why there is none. */
  async call(url: string, request: Omit<UpstreamRequest, "path"> & { readonly path?: string }) {
    if (!isSafe(url)) {
      const detail = `${shown(url)}: tokens are fetched over https:// alone, but from this machine itself`;
      return { cause: "bad_reply", detail } satisfies Failure as Failure;
    }
    const { answer } = await this.#upstream(url).call<UpstreamReply>({
      request: { path: "", ...request },
      id: randomUUID(),
      deadline: new Deadline(this.#options.deadline),
      interpret: (reply) => troubleOf(url, reply) ?? reply,
    });
    if (isFailure(answer) && answer.cause === "circuit_open") {
      const detail = `no token: ${shown(url)} is not called for a while, its circuit is open`;
      return { ...answer, detail };
    }
    return answer;
  }

  /** Resolves when the calls under way have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const upstream of this.#upstreams.values()) this.#drop(upstream);
    this.#upstreams.clear();
    await Promise.all(this.#closing);
  }

  #upstream(url: string): Upstream {
    if (this.#closed) throw new Error("the service is being closed");
    const known = this.#upstreams.get(url);
    if (known !== undefined) return known;
    const [oldest] = this.#upstreams;
    if (oldest !== undefined && this.#upstreams.size === MOST_ENDPOINTS) {
      this.#upstreams.delete(oldest[0]);
      this.#drop(oldest[1]);
    }
    const options = { headers: {}, authenticator: anonymous, maxReplySize: MAX_REPLY };
    const upstream = new Upstream({ ...this.#options, ...options, urls: [new URL(url)] }, this.#events);
    this.#upstreams.set(url, upstream);
    return upstream;
  }

  #drop(upstream: Upstream): void {
    const closing = upstream.close();
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }
}

function troubleOf(url: string, { status }: UpstreamReply): Failure | null {
  if (status >= 500) return { cause: "http_5xx", status, detail: `${shown(url)}: HTTP status ${status}` };
  if (status === 429 || status === 408) {
    const detail = `${shown(url)}: HTTP status ${status}; it is asked too often`;
    return { cause: "http_4xx", status, detail };
  }
  return null;
}
