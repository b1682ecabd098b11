/**
 * Where one URL of a service is asked, as its AuthZEN document says: read before the first call and again when it has
 * aged, beside the calls.
 *
 * Nothing here has a timer of its own: calls ask for it, so that a service that nobody asks is not called, and one that is
 * offline neither. Only calls before the first document wait, within their deadline; after a failure there is a pause in
 * which each call fails at once for the same reason. A document that cannot be read again leaves the old one in use.
 */
import { randomUUID } from "node:crypto";
import type { UpstreamReply } from "../model/exchange.ts";
import { type Failure, isFailure } from "../model/failure.ts";
import { Deadline } from "../time/deadline.ts";
import { Attempt, type AttemptOwner, type AttemptTarget } from "./attempt.ts";
import { type Discovered, type MetadataPlace, metadataAge, readMetadata } from "./authzen-metadata.ts";

/** Bytes of a document. */
export const MAX_METADATA_SIZE = 64 * 1024;

/** Milliseconds: the first pause after a failure, which doubles; the longest, without a document and with one. */
const PAUSE = 1000;
const LONGEST_PAUSE = 5000;
const LONGEST_PAUSE_KNOWN = 60_000;
/** How soon a document is read again that calls give reason to doubt, in milliseconds. */
const DOUBTED = 30_000;

export interface DiscoveryOptions {
  readonly place: MetadataPlace;
  /** Leads to the document. */
  readonly target: AttemptTarget;
  /** Names and values in turn; what identifies the bridge may have to be fetched. */
  headers(requestId: string): string[] | Failure | Promise<string[] | Failure>;
  /** Told when the paths are known, when they change, and when the document cannot be had. */
  onChange(ok: boolean, detail: string): void;
}

/** How it stands, for whoever watches. */
export interface DiscoveryReport {
  readonly address: string;
  /** URLs; null: not known yet, or none. */
  readonly evaluation: string | null;
  readonly evaluations: string | null;
  /** When the document was read last, in milliseconds since 1970; null: never. */
  readonly readAt: number | null;
  /** Why it could not be read since. */
  readonly failure: string | null;
}

export class Discovery {
  readonly #options: DiscoveryOptions;
  #known: Discovered | null = null;
  #readAt: number | null = null;
  #failure: Failure | null = null;
  #failures = 0;
  /** By performance.now(): when the document has aged, and before when it is not asked for. */
  #agesAt = 0;
  #notBefore = 0;
  #pending: Promise<Failure | null> | null = null;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  get known(): Discovered | null {
    return this.#known;
  }

  get report(): DiscoveryReport {
    const { service, address } = this.#options.place;
    const { evaluation = null, evaluations = null } = this.#known ?? {};
    const url = (path: string | null) => (path === null ? null : service.origin + path);
    return {
      address: address.origin + address.pathname,
      evaluation: url(evaluation),
      evaluations: url(evaluations),
      readAt: this.#readAt,
      failure: this.#failure?.detail ?? null,
    };
  }

  /** Whether calls fail at once, for the reason of a failure that was. */
  get pausing(): boolean {
    const waiting = this.#known === null && this.#pending === null && this.#failure !== null;
    return waiting && performance.now() < this.#notBefore;
  }

  /**
   * Null when a call can be made; else why none can, or a promise of either. Never rejects. What comes as no promise says
   * nothing new of the service.
   *
   * @param trial a call by which a circuit finds out, so that no pause holds it up: the circuit had its own
   */
  ready(trial: boolean): Failure | Promise<Failure | null> | null {
    const now = performance.now();
    if (this.#known !== null) {
      if (now >= this.#agesAt && now >= this.#notBefore) this.#read();
      return null;
    }
    if (this.#pending !== null) return this.#pending;
    if (this.pausing && !trial) return this.#failure;
    return this.#read();
  }

  /** A call was answered as if the path were another's: the document may have changed. */
  doubt(): void {
    this.#agesAt = Math.min(this.#agesAt, performance.now() + DOUBTED);
  }

  #read(): Promise<Failure | null> {
    this.#pending ??= this.#fetch()
      .then((outcome) => (isFailure(outcome) ? this.#failed(outcome) : this.#found(outcome)))
      .finally(() => {
        this.#pending = null;
      });
    return this.#pending;
  }

  async #fetch(): Promise<UpstreamReply | Failure> {
    const id = randomUUID();
    try {
      const headers = await this.#options.headers(id);
      if (!Array.isArray(headers)) return headers;
      return await new Promise((resolve) => {
        new Fetching(this.#options.target, headers, id, resolve).begin(false);
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { cause: "unreachable", detail: why };
    }
  }

  #found(reply: UpstreamReply): Failure | null {
    const outcome = readMetadata(reply, this.#options.place);
    if (isFailure(outcome)) return this.#failed(outcome);
    const before = this.#known;
    const recovered = this.#failure !== null;
    this.#known = outcome;
    this.#readAt = Date.now();
    this.#failure = null;
    this.#failures = 0;
    this.#agesAt = performance.now() + metadataAge(reply);
    const same = before?.evaluation === outcome.evaluation && before.evaluations === outcome.evaluations;
    if (!same || recovered) this.#options.onChange(true, this.#summary(reply.status === 200));
    return null;
  }

  #summary(published: boolean): string {
    const { address, evaluation, evaluations } = this.report;
    const from = published ? `as ${address} says` : `by default, as there is no document at ${address}`;
    return `questions go to ${evaluation}, batches to ${evaluations ?? "nobody: the service takes none"}, ${from}`;
  }

  /** With a document in use it is no failure of anybody's call. */
  #failed(failure: Failure): Failure | null {
    const detail = failure.detail.startsWith("discovery") ? failure.detail : `discovery: ${failure.detail}`;
    const longest = this.#known === null ? LONGEST_PAUSE : LONGEST_PAUSE_KNOWN;
    const pause = Math.min(longest, PAUSE * 2 ** Math.min(this.#failures++, 10));
    this.#notBefore = performance.now() + pause;
    if (this.#failure?.detail !== detail) this.#options.onChange(false, detail);
    this.#failure = { ...failure, detail };
    return this.#known === null ? this.#failure : null;
  }
}

/** One request for the document; asked once more at once where its connection was closed in between. */
class Fetching implements AttemptOwner {
  readonly #target: AttemptTarget;
  readonly #headers: string[];
  readonly #id: string;
  readonly #done: (outcome: UpstreamReply | Failure) => void;
  #again = false;

  constructor(
    target: AttemptTarget,
    headers: string[],
    id: string,
    done: (outcome: UpstreamReply | Failure) => void,
  ) {
    this.#target = target;
    this.#headers = headers;
    this.#id = id;
    this.#done = done;
  }

  begin(again: boolean): void {
    this.#again = again;
    const request = { method: "GET", path: "", headers: {}, body: null };
    const deadline = new Deadline(2 * this.#target.timeout);
    new Attempt(this, request, this.#id, this.#target, deadline, again).start(this.#headers);
  }

  onReply(reply: UpstreamReply): void {
    this.#done(reply);
  }

  onFailure(failure: Failure): void {
    this.#done(failure);
  }

  onInterrupted(failure: Failure): void {
    if (this.#again) this.#done(failure);
    else this.begin(true);
  }
}
