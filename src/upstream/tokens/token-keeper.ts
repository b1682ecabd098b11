/**
 * The token that a service is shown: kept while it is good, renewed behind the calls before it ends, fetched once for all
 * who wait for one.
 *
 * While a token is good no call waits and none makes a promise, whatever the place where tokens come from does. Where there is none, calls wait for the one
 * attempt that is under way; what comes of it, a failure too, is theirs all.
 */
import { type Failure, isFailure } from "../../model/failure.ts";
import type { Authenticator, AuthHeaders } from "../auth.ts";
import { ownTrouble } from "../transport/errors.ts";

export interface Token {
  readonly headers: AuthHeaders;
  /** The token itself. */
  readonly token: string;
  /** Milliseconds from when it was asked for; Infinity: until it is refused. */
  readonly lifetime: number;
}

/** A token with its times by performance.now(). */
export interface KeptToken {
  readonly token: Token;
  /** When it was asked for, is to be renewed, and is not shown any more. */
  readonly since: number;
  readonly renewAt: number;
  readonly end: number;
}

/** Where tokens come from. */
export interface TokenSource {
  /** For messages: `https://login.example.com/token`. */
  readonly place: string;
  /** Between two attempts that were refused, in milliseconds: the first, doubled each time, and the longest. */
  readonly pauses?: { readonly first: number; readonly longest: number };
  /** Ends in bounded time. */
  obtain(): Promise<Token | Failure>;
  /** Resolves when no call of it is under way. */
  close(): Promise<void>;
}

export interface TokenEvents {
  onToken(kept: KeptToken): void;
  /** @param remaining milliseconds for which the token that there is stays good; 0: there is none */
  onFailure(failure: Failure, remaining: number): void;
}

/** A token is renewed when a fifth of its time is left, or so much, in milliseconds. */
const RENEW_PART = 0.2;
const RENEW_MOST = 5 * 60_000;
/** It is not shown any more when so much is left: it must be good when it arrives. */
const MARGIN_PART = 0.05;
const MARGIN_MOST = 5_000;
/** However short a life it is given, in milliseconds, so that not each call fetches one. */
const SHORTEST_LIFE = 1_000;
/** Between two attempts that fail, where the source has no other. */
const PAUSES = { first: 1_000, longest: 30_000 };
/** A token that is younger, in milliseconds, is not fetched anew because it was refused: a service may refuse all. */
const YOUNG = 1_000;

export class TokenKeeper implements Authenticator {
  readonly headerNames: readonly string[];
  readonly #source: TokenSource;
  readonly #events: TokenEvents;
  #kept: KeptToken | null = null;
  #flight: Promise<AuthHeaders | Failure> | null = null;
  #failure: Failure | null = null;
  #pause = 0;
  /** By performance.now(): before it nothing is fetched behind the calls, nor where there is no hope that it passes. */
  #pausedUntil = 0;
  #changes = 0;
  #closed = false;

  /** @param headerNames those that its tokens are sent in, in lower case */
  constructor(source: TokenSource, headerNames: readonly string[], events: TokenEvents) {
    this.#source = source;
    this.headerNames = headerNames;
    this.#events = events;
  }

  get place(): string {
    return this.#source.place;
  }

  /** Grows when a token takes the place of one that calls may still be under way with. */
  get changes(): number {
    return this.#changes;
  }

  /** Milliseconds for which the token is shown; 0: there is none. */
  get remaining(): number {
    return this.#kept === null ? 0 : Math.max(0, this.#kept.end - performance.now());
  }

  /** The token itself, for where it is shown elsewhere than in headers; empty: there is none. */
  get text(): string {
    return this.#kept?.token.token ?? "";
  }

  /** Goes on with what another keeper had. */
  adopt(kept: KeptToken): void {
    this.#kept = kept;
  }

  headers(): AuthHeaders | Failure | Promise<AuthHeaders | Failure> {
    const now = performance.now();
    const kept = this.#kept;
    if (kept !== null && now < kept.end) {
      if (now >= kept.renewAt && now >= this.#pausedUntil) void this.#fetch();
      return kept.token.headers;
    }
    if (
      this.#flight === null &&
      this.#failure !== null &&
      now < this.#pausedUntil &&
      !mayPass(this.#failure)
    ) {
      return this.#failure;
    }
    return this.#fetch();
  }

  /** Fetches a new one, because the service has refused the one that there is; that is kept where it cannot be had. */
  async refused(): Promise<void> {
    const now = performance.now();
    if (this.#flight === null && (now < (this.#kept?.since ?? -YOUNG) + YOUNG || now < this.#pausedUntil))
      return;
    await this.#fetch();
  }

  /** What tokens are asked for with has changed: the next attempt need not wait. */
  encourage(): void {
    this.#pause = 0;
    this.#pausedUntil = 0;
  }

  /** Resolves when nothing is being fetched any more. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#source.close();
  }

  #fetch(): Promise<AuthHeaders | Failure> {
    this.#flight ??= this.#fetchOne().finally(() => {
      this.#flight = null;
    });
    return this.#flight;
  }

  async #fetchOne(): Promise<AuthHeaders | Failure> {
    const asked = performance.now();
    const token = await this.#obtain();
    if (isFailure(token)) return this.#failed(token);
    const lifetime = Math.max(token.lifetime, SHORTEST_LIFE);
    if (this.#kept !== null && asked < this.#kept.end) this.#changes++;
    this.#kept = {
      token: { ...token, lifetime },
      since: asked,
      renewAt: asked + lifetime - Math.min(lifetime * RENEW_PART, RENEW_MOST),
      end: asked + lifetime - Math.min(lifetime * MARGIN_PART, MARGIN_MOST),
    };
    this.#failure = null;
    this.encourage();
    if (!this.#closed) this.#events.onToken(this.#kept);
    return token.headers;
  }

  async #obtain(): Promise<Token | Failure> {
    try {
      return await this.#source.obtain();
    } catch (error) {
      const own = ownTrouble(error);
      if (own !== null) return { cause: "overload", detail: `no token: ${own}`, blameless: true };
      const why = error instanceof Error ? error.message : String(error);
      return { cause: "bad_reply", detail: `${this.place}: no token: ${why}` };
    }
  }

  #failed(failure: Failure): Failure {
    this.#failure = failure;
    const { first, longest } = (mayPass(failure) ? null : this.#source.pauses) ?? PAUSES;
    this.#pause = Math.min(longest, Math.max(first, 2 * this.#pause));
    this.#pausedUntil = performance.now() + this.#pause;
    if (!this.#closed) this.#events.onFailure(failure, this.remaining);
    return failure;
  }
}

/** Where it may, each call that needs a token asks anew; the circuit of the token endpoint keeps that within bounds. */
function mayPass({ cause }: Failure): boolean {
  return cause !== "http_4xx" && cause !== "bad_reply" && cause !== "mapping_error";
}
