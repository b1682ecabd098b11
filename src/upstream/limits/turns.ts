/**
 * Who waits for a slot: a line for each subject, and the subjects in the order in which it is their turn. All of it is pointers,
 * so that whoever gives up leaves from wherever he stands.
 */
import type { Deadline } from "../../time/deadline.ts";
import { Timer } from "../../time/timer.ts";

/** Told of one whose time is up, who is still in line. */
export interface WaiterOwner {
  giveUp(waiter: Waiter): void;
}

/** A subject with calls: how many slots it holds, and its own line. */
export class Tenant {
  readonly subject: string;
  held = 0;
  waiting = 0;
  first: Waiter | null = null;
  /** Its place among those who wait, for `Turns` alone. */
  before: Tenant | null = null;
  after: Tenant | null = null;
  #last: Waiter | null = null;

  constructor(subject: string) {
    this.subject = subject;
  }

  add(waiter: Waiter): void {
    this.waiting++;
    waiter.ahead = this.#last;
    if (this.#last === null) this.first = waiter;
    else this.#last.behind = waiter;
    this.#last = waiter;
  }

  remove(waiter: Waiter): void {
    this.waiting--;
    if (waiter.ahead === null) this.first = waiter.behind;
    else waiter.ahead.behind = waiter.behind;
    if (waiter.behind === null) this.#last = waiter.ahead;
    else waiter.behind.ahead = waiter.ahead;
  }
}

/** Those who wait, in the order in which it is their turn. */
export class Turns {
  length = 0;
  #first: Tenant | null = null;
  #last: Tenant | null = null;

  /** The first one that may have it. */
  next(may: (tenant: Tenant) => boolean): Tenant | null {
    let tenant = this.#first;
    while (tenant !== null && !may(tenant)) tenant = tenant.after;
    return tenant;
  }

  /** Puts it there, wherever it was. */
  toTheEnd(tenant: Tenant): void {
    if (this.#holds(tenant)) this.remove(tenant);
    this.length++;
    tenant.before = this.#last;
    if (this.#last === null) this.#first = tenant;
    else this.#last.after = tenant;
    this.#last = tenant;
  }

  remove(tenant: Tenant): void {
    this.length--;
    if (tenant.before === null) this.#first = tenant.after;
    else tenant.before.after = tenant.after;
    if (tenant.after === null) this.#last = tenant.before;
    else tenant.after.before = tenant.before;
    tenant.before = null;
    tenant.after = null;
  }

  #holds(tenant: Tenant): boolean {
    return tenant.before !== null || this.#first === tenant;
  }
}

export class Waiter extends Timer {
  readonly tenant: Tenant;
  readonly deadline: Deadline;
  /** Not once it has a slot, or will get none. */
  inLine = true;
  ahead: Waiter | null = null;
  behind: Waiter | null = null;
  readonly #owner: WaiterOwner;
  readonly #resolve: (granted: boolean) => void;

  /** @param until by performance.now() */
  constructor(
    owner: WaiterOwner,
    tenant: Tenant,
    resolve: (granted: boolean) => void,
    deadline: Deadline,
    until: number,
  ) {
    super();
    this.#owner = owner;
    this.tenant = tenant;
    this.#resolve = resolve;
    this.deadline = deadline;
    this.startTimer(until, deadline.leeway);
  }

  grant(): void {
    this.stopTimer();
    this.#resolve(true);
  }

  protected override onTime(): void {
    if (this.inLine) this.#owner.giveUp(this);
    this.#resolve(false);
  }
}
