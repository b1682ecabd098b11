/**
 * How many calls a service gets at once, and who they are for. Those beyond wait in line.
 *
 * Nobody waits past the point from which the call could not end in time: when the service takes less than
 * it is given, a line that is served at the very end of everyone's deadline would answer no one. Nor does anybody begin
 * to wait in a line that, as it moves, is too long for that; so the line is never longer than what the service can
 * take within a deadline, whatever comes. Who has waited too long by the time that there is a slot is left in peace until
 * his time is up: so a service that says nothing is not asked again by all of the line, when their answers are due.
 *
 * Nobody can use up what is there for all. Where somebody else has asked lately, one subject gets another slot only
 * as long as it holds fewer than are free: one alone gets half of them, two a third each, and some are always left for who
 * comes next (the dynamic threshold of Choudhury and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet
 * Switches", 1998). Of those who wait each subject has its turn, and each one's own calls keep their order. What is
 * known of a subject is gone with its last call.
 */
import type { Deadline } from "../../time/deadline.ts";
import { Allowance } from "./allowance.ts";
import { DrainRate } from "./drain-rate.ts";
import { GradientLimit } from "./gradient-limit.ts";
import { Neighbours } from "./neighbours.ts";
import { Silence } from "./silence.ts";
import { Tenant, Turns, Waiter, type WaiterOwner } from "./turns.ts";

/** The weight of a new observation, as in TCP's round-trip estimate (RFC 6298 §2), where the 4 comes from, too. */
const GAIN = 1 / 8;

export interface LimiterReport {
  readonly inFlight: number;
  readonly waiting: number;
  readonly limit: number;
}

/** So long after somebody else has asked, slots are kept free for him, in milliseconds. */
const LATELY = 60_000;
/** Who holds this part of all slots and gets none any more has brought it about himself. */
const OWN_MAKING = 1 / 4;
/** Calls of one subject that may shrink what `auto` has found, in so many milliseconds. */
const MOST_DROPPED = 3;
const DROPPED_WINDOW = 10_000;

/**
 * How a call ended: the milliseconds that it took, that it got and no reply came in them, a reply that says that there is too
 * much, or something that says nothing of the service.
 */
export type Outcome = number | { readonly silentFor: number } | "refused" | "unknown";

export class Limiter implements WaiterOwner {
  readonly #fixed: number;
  readonly #gradient: GradientLimit | null;
  readonly #drainRate = new DrainRate();
  readonly #silence = new Silence();
  readonly #neighbours = new Neighbours(LATELY);
  readonly #dropped = new Allowance(MOST_DROPPED, DROPPED_WINDOW);
  /** Those with a call that has a slot, or waits for one. */
  readonly #tenants = new Map<string, Tenant>();
  readonly #turns = new Turns();
  #inFlight = 0;
  #waiting = 0;
  #latency = 0;
  #deviation = 0;

  constructor(limit: number | "auto") {
    this.#fixed = limit === "auto" ? 0 : limit;
    this.#gradient = limit === "auto" ? new GradientLimit() : null;
  }

  get #limit(): number {
    return this.#gradient === null ? this.#fixed : this.#gradient.current;
  }

  /** What a call is expected to take at least, in milliseconds; 0 before the first was seen. */
  get expectedLatency(): number {
    return Math.max(this.#latency + 4 * this.#deviation, this.#silence.least);
  }

  /** Slots taken, those who wait for one, and how many there are. */
  get report(): LimiterReport {
    return { inFlight: this.#inFlight, waiting: this.#waiting, limit: this.#limit };
  }

  /** How many are known: those with a call under way, or waiting. */
  get subjects(): number {
    return this.#tenants.size;
  }

  /** Whether a subject that gets no slot holds so many that it is its own doing. */
  hasItsShare(subject: string): boolean {
    const { held } = this.#tenants.get(subject) ?? NOTHING;
    return held >= OWN_MAKING * this.#limit && this.#isShared(subject, performance.now());
  }

  /**
   * Takes a slot: true, or false when there is none in time, at once where that can be foreseen. Each slot taken
   * must be released once.
   *
   * @param subject whose call it is; empty: nobody's in particular, from whom none is kept
   */
  acquire(subject: string, deadline: Deadline): boolean | Promise<boolean> {
    const now = performance.now();
    this.#neighbours.asks(subject, now);
    const tenant = this.#tenant(subject);
    if (tenant.first === null && this.#hasRoom(tenant, now)) {
      this.#take(tenant);
      return true;
    }
    this.#drainRate.begin(now);
    const remaining = Math.max(0, deadline.end - now);
    const patience = remaining - Math.min(this.expectedLatency, remaining / 2);
    if (this.#drainRate.timeFor(this.#ahead(tenant) + 1) > patience) {
      this.#forgetIdle(tenant);
      return false;
    }
    return new Promise((resolve) =>
      this.#enqueue(new Waiter(this, tenant, resolve, deadline, now + patience)),
    );
  }

  /**
   * @param blamed whose failures these are, if it had no reply, or was refused
   */
  release(subject: string, outcome: Outcome, blamed: readonly string[]): void {
    if (outcome !== "unknown") this.#learn(outcome, blamed);
    const tenant = this.#tenant(subject);
    tenant.held--;
    this.#inFlight--;
    if (this.#waiting === 0) this.#drainRate.end();
    else this.#serve(performance.now());
    this.#forgetIdle(tenant);
  }

  #learn(outcome: Exclude<Outcome, "unknown">, blamed: readonly string[]): void {
    const latency = typeof outcome === "number" ? outcome : null;
    if (this.#gradient !== null) this.#adapt(this.#gradient, latency, blamed);
    if (latency !== null) this.#observe(latency);
    if (typeof outcome === "object") this.#silence.count(outcome.silentFor);
    else this.#silence.end();
  }

  /** @param latency null where the call was dropped */
  #adapt(gradient: GradientLimit, latency: number | null, blamed: readonly string[]): void {
    const now = performance.now();
    // With calls that wait all slots are in use, also where some are kept for others.
    const inUse = this.#waiting > 0 ? Math.max(this.#inFlight, this.#limit) : this.#inFlight;
    if (latency !== null) gradient.observe(latency, inUse, now);
    else if (this.#dropped.take(blamed, now)) gradient.observe(null, inUse, now);
  }

  /** Gives out what is free, to each subject in turn. */
  #serve(now: number): void {
    for (;;) {
      const tenant = this.#turns.next((each) => this.#hasRoom(each, now));
      if (tenant === null) return;
      const waiter = tenant.first!;
      this.#leave(waiter);
      if (waiter.deadline.end - now < this.#silence.least) {
        this.#forgetIdle(tenant);
        continue;
      }
      if (tenant.first !== null) this.#turns.toTheEnd(tenant);
      this.#take(tenant);
      this.#drainRate.count(now);
      waiter.grant();
    }
  }

  #take(tenant: Tenant): void {
    tenant.held++;
    this.#inFlight++;
  }

  #hasRoom({ subject, held }: Tenant, now: number): boolean {
    const free = Math.min(this.#limit, this.#silence.most) - this.#inFlight;
    return free > 0 && (held < free || !this.#isShared(subject, now));
  }

  #isShared(subject: string, now: number): boolean {
    return subject !== "" && this.#neighbours.has(subject, now);
  }

  /** How many are served before the next call of this one would be: of others no more than of its own, and one. */
  #ahead({ waiting }: Tenant): number {
    const others = this.#turns.length - (waiting > 0 ? 1 : 0);
    return Math.min(this.#waiting, waiting + others * (waiting + 1));
  }

  #tenant(subject: string): Tenant {
    let tenant = this.#tenants.get(subject);
    if (tenant === undefined) {
      tenant = new Tenant(subject);
      this.#tenants.set(subject, tenant);
    }
    return tenant;
  }

  #forgetIdle(tenant: Tenant): void {
    if (tenant.held === 0 && tenant.first === null) this.#tenants.delete(tenant.subject);
  }

  #observe(latency: number): void {
    const error = latency - this.#latency;
    this.#latency += GAIN * error;
    this.#deviation += GAIN * (Math.abs(error) - this.#deviation);
  }

  #enqueue(waiter: Waiter): void {
    this.#waiting++;
    if (waiter.tenant.first === null) this.#turns.toTheEnd(waiter.tenant);
    waiter.tenant.add(waiter);
  }

  /** It is in the line no longer. */
  #leave(waiter: Waiter): void {
    const { tenant } = waiter;
    this.#waiting--;
    waiter.inLine = false;
    tenant.remove(waiter);
    if (tenant.first === null) this.#turns.remove(tenant);
  }

  /** For the waiter alone. */
  giveUp(waiter: Waiter): void {
    this.#leave(waiter);
    this.#forgetIdle(waiter.tenant);
  }
}

const NOTHING = { held: 0 };
