/**
 * The steps of one decision, as they happen: what was there anyway, by reference. Nothing is put together here, since this
 * is on the way of each request; shown.ts does, when somebody asks.
 */
import type { Found } from "../cache/cache.ts";
import type { Trace } from "../decision/decide.ts";
import type { Route } from "../decision/routes.ts";
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import type { DiscoveryReport } from "../upstream/discovery.ts";
import type { AttemptPlace } from "../upstream/options.ts";
import { keptReply, keptText } from "./kept.ts";

/** A route without what it leads to, which is not to outlive its configuration. */
export interface RouteStep {
  readonly number: number;
  /** Null: it matches everything. */
  readonly when: string | null;
  readonly leads: string;
}

/** A token had to be fetched before the service could be asked. */
interface TokenStep {
  readonly from: string;
  readonly failure: Failure | null;
  /** Milliseconds. */
  readonly took: number;
}

export interface AttemptStep {
  readonly origin: string;
  readonly path: string;
  /** Names and values in turn, as sent. */
  readonly headers: readonly string[];
  readonly body: string | null;
  reply: UpstreamReply | null;
  failure: Failure | null;
  /** Milliseconds. */
  took: number;
}

/** Attempts of one decision that are kept; of those after them it is counted how many. */
const MOST_ATTEMPTS = 10;

export class Steps implements Trace {
  readonly alone: boolean;
  route: RouteStep | null = null;
  call: UpstreamRequest | null = null;
  remembered: Pick<Found, "reply" | "age" | "fresh"> | null = null;
  discovered: DiscoveryReport | null = null;
  /** The reply came to another request, or to several at once: it answered this one, too. */
  shared: { readonly how: "joined" | "batch"; readonly reply: UpstreamReply } | null = null;
  tokens: readonly TokenStep[] = NONE;
  attempts: readonly AttemptStep[] = NONE;
  furtherAttempts = 0;
  #attempts: AttemptStep[] | null = null;
  #isOver = false;

  /** @param alone whether each step is worth a call of its own: it goes out in no batch */
  constructor(alone: boolean) {
    this.alone = alone;
  }

  onRoute({ number, when, target }: Route): void {
    this.route = {
      number,
      when: when === null ? null : when.text,
      leads: "action" in target ? `action ${target.action}` : `service ${target.service.name}`,
    };
  }

  onRendered(call: UpstreamRequest): void {
    this.call = call;
  }

  onRemembered(found: Found): void {
    this.remembered = found;
  }

  onDiscovered(report: DiscoveryReport): void {
    this.discovered = report;
  }

  onCredentials(from: string, failure: Failure | null, milliseconds: number): void {
    if (this.#isOver || this.tokens.length === MOST_ATTEMPTS) return;
    this.tokens = [...this.tokens, { from, failure, took: milliseconds }];
  }

  onShared(how: "joined" | "batch", reply: UpstreamReply): void {
    if (!this.#isOver) this.shared = { how, reply };
  }

  onAttempt(
    _attempt: number,
    place: AttemptPlace,
    path: string,
    headers: readonly string[],
    body: string | null,
  ): void {
    if (this.#isOver) return;
    if (this.#attempts === null) this.attempts = this.#attempts = [];
    if (this.#attempts.length === MOST_ATTEMPTS) {
      this.furtherAttempts++;
      this.#attempts.pop();
    }
    const { origin } = place;
    this.#attempts.push({
      origin,
      path: place.join(path),
      headers,
      body,
      reply: null,
      failure: null,
      took: 0,
    });
  }

  onReply(_attempt: number, reply: UpstreamReply, milliseconds: number): void {
    const last = this.#attempts?.at(-1);
    if (last === undefined || this.#isOver) return;
    last.reply = reply;
    last.took = milliseconds;
  }

  onFailure(_attempt: number, failure: Failure, milliseconds: number): void {
    const last = this.#attempts?.at(-1);
    if (last === undefined || this.#isOver) return;
    last.failure = failure;
    last.took = milliseconds;
  }

  /**
   * It is decided: what comes now is not heard any more, and nothing that is large stays.
   *
   * @returns about how many bytes are kept
   */
  conclude(): number {
    this.#isOver = true;
    let size = 0;
    const { call, remembered, shared } = this;
    if (call !== null) {
      const body = keptText(call.body);
      if (body !== call.body) this.call = { ...call, body };
      size += call.path.length + (body?.length ?? 0);
    }
    if (remembered !== null) {
      const { age, fresh } = remembered;
      const kept = keptReply(remembered.reply);
      this.remembered = { age, fresh, reply: kept.reply };
      size += kept.size;
    }
    if (shared !== null) {
      const kept = keptReply(shared.reply);
      this.shared = { how: shared.how, reply: kept.reply };
      size += kept.size;
    }
    if (this.#attempts === null) return size;
    for (const [index, attempt] of this.#attempts.entries()) {
      const body = attempt.body === call?.body ? (this.call?.body ?? null) : keptText(attempt.body);
      if (body !== attempt.body) this.#attempts[index] = { ...attempt, body };
      size += PER_ATTEMPT + (body === this.call?.body ? 0 : (body?.length ?? 0));
      if (attempt.reply === null) continue;
      const kept = keptReply(attempt.reply);
      this.#attempts[index]!.reply = kept.reply;
      size += kept.size;
    }
    return size;
  }
}

const NONE: readonly never[] = [];
/** Its headers, mostly: of about so many bytes. */
const PER_ATTEMPT = 1024;
