/**
 * Sessions: a login of the service's own, whose reply holds what the next calls show. It is called as services are, with a
 * circuit, the limits on a reply and the words for what goes wrong; what it sends and reads is compiled elsewhere.
 *
 * A login that was refused is not tried again soon: accounts are locked after a few.
 */
import { randomUUID } from "node:crypto";
import type { UpstreamReply, UpstreamRequest } from "../../model/exchange.ts";
import { type Failure, isFailure } from "../../model/failure.ts";
import { Deadline } from "../../time/deadline.ts";
import { anonymous } from "../auth.ts";
import type { UpstreamEvents, UpstreamOptions } from "../options.ts";
import { Upstream } from "../upstream.ts";
import { shown } from "./address.ts";
import type { Token, TokenSource } from "./token-keeper.ts";

export interface SessionOptions extends Omit<UpstreamOptions, "headers" | "authenticator" | "maxReplySize"> {
  /** For one login with all of its attempts, in milliseconds. */
  readonly deadline: number;
  render(): UpstreamRequest | Failure;
  /** A failure's detail says nothing of the place. */
  read(reply: UpstreamReply): Token | Failure;
}

/** In bytes. */
const MAX_REPLY = 256 * 1024;

export class SessionTokens implements TokenSource {
  /** In milliseconds. */
  readonly pauses = { first: 30_000, longest: 5 * 60_000 };
  readonly #options: SessionOptions;
  readonly #upstream: Upstream;

  /** @throws Error that says which file of `tls` cannot be used */
  constructor(options: SessionOptions, events: UpstreamEvents) {
    this.#options = options;
    this.#upstream = new Upstream(
      { ...options, headers: {}, authenticator: anonymous, maxReplySize: MAX_REPLY },
      events,
    );
  }

  get place(): string {
    const call = this.#options.render();
    const path = isFailure(call) ? "" : call.path;
    const url = this.#options.urls[0]!;
    // What follows the path of a socket file is a path over HTTP.
    if (url.protocol === "unix:") return `${url.href} ${path.replace(/\?.*/, "")}`.trim();
    return shown(url.href.replace(/\/$/, "") + path);
  }

  async obtain(): Promise<Token | Failure> {
    const request = this.#options.render();
    const given = isFailure(request) ? request : await this.#call(request);
    if (!isFailure(given)) return given;
    const where =
      given.cause === "circuit_open" ? "is not called for a while, its circuit is open" : given.detail;
    return { ...given, detail: `no session: login at ${this.place}: ${where}` };
  }

  close(): Promise<void> {
    return this.#upstream.close();
  }

  async #call(request: UpstreamRequest): Promise<Token | Failure> {
    const { answer } = await this.#upstream.call<Token>({
      request,
      id: randomUUID(),
      deadline: new Deadline(this.#options.deadline),
      interpret: (reply) => this.#options.read(reply),
    });
    return answer;
  }
}
