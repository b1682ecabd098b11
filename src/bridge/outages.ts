/**
 * The outages of services, for the log: told when they begin, now and then while they last, and once when they are over,
 * with what was answered meanwhile.
 *
 * A circuit that stays open tries again every few seconds; each trial that fails is no news. Where no circuit opened, some
 * calls failed, and the service answers again, one line says how many did.
 */
import type { Decision, Source } from "../model/decision.ts";
import type { Log } from "../observe/log.ts";
import type { CircuitState } from "../upstream/limits/circuit.ts";

/** Between two lines about a circuit that stays open, in milliseconds; doubles. */
const FIRST_PAUSE = 30_000;
const LONGEST_PAUSE = 30 * 60_000;
/** Between two lines about a service that answers again, in milliseconds. */
const RECOVERY_INTERVAL = 60_000;
/** Failures that are worth a word when they are over. */
const WORTH_A_WORD = 2;

/** What of a detail, which may repeat a reply, the log shows. */
type Shown = (detail: string) => string;

type Counts = Partial<Record<Source, number>>;

/** Of the calls that failed without a circuit that opened. */
interface Failing {
  readonly since: number;
  failed: number;
  last: Pick<Decision, "cause" | "detail">;
}

/** Of one service. */
export class Outage {
  readonly #service: string;
  readonly #log: Log;
  readonly #shown: Shown;
  /** By URL. */
  readonly #circuits = new Map<string, CircuitOutage>();
  #failing: Failing | null = null;
  #recoveredAt = Number.NEGATIVE_INFINITY;

  constructor(service: string, log: Log, shown: Shown) {
    this.#service = service;
    this.#log = log;
    this.#shown = shown;
  }

  onCircuit(url: string, state: CircuitState, detail: string): void {
    const fields = { service: this.#service, url, state, detail: this.#shown(without(url, detail)) };
    const outage = this.#circuits.get(url);
    if (outage === undefined) {
      if (state !== "open") return;
      this.#circuits.set(url, new CircuitOutage());
      this.#failing = null;
      this.#log.warn(
        fields,
        "circuit opened: the service is not called for a while, on_failure for circuit_open answers",
      );
    } else if (state === "half-open") {
      const level = outage.isFirstTrial() ? "info" : "debug";
      this.#log[level](fields, "circuit half-open: one call is let through as a trial");
    } else if (state === "open") {
      if (outage.isToBeTold()) this.#log.warn({ ...fields, ...outage.told() }, "the circuit is still open");
    } else {
      this.#circuits.delete(url);
      this.#log.info({ ...fields, ...outage.told() }, "circuit closed: the service is called again");
    }
  }

  note({ source, cause, detail }: Decision): void {
    for (const outage of this.#circuits.values()) outage.count(source);
    if (this.#circuits.size > 0) return;
    if (cause === "unreachable" || cause === "timeout" || cause === "http_5xx") {
      this.#failing ??= { since: performance.now(), failed: 0, last: { cause, detail } };
      this.#failing.failed++;
      this.#failing.last = { cause, detail };
    } else if (source === "upstream" && this.#failing !== null) this.#recovered(this.#failing);
  }

  #recovered({ since, failed, last }: Failing): void {
    const now = performance.now();
    // One sender's failures among others' successes: told of together.
    if (now - this.#recoveredAt < RECOVERY_INTERVAL) return;
    this.#failing = null;
    if (failed < WORTH_A_WORD) return;
    this.#recoveredAt = now;
    const fields = { service: this.#service, failed, within_s: seconds(now - since), last: last.cause };
    this.#log.info(
      { ...fields, detail: this.#shown(last.detail ?? "") },
      "the service answers again, after calls that failed",
    );
  }
}

/** Most details name the URL before what went wrong, and the line has it already. */
function without(url: string, detail: string): string {
  return detail.replaceAll(`${url}: `, "");
}

/** A circuit from its opening to its closing. */
class CircuitOutage {
  readonly #since = performance.now();
  #pause = FIRST_PAUSE;
  #next = this.#since + FIRST_PAUSE;
  #trials = 0;
  readonly #answered: Counts = {};

  count(source: Source): void {
    this.#answered[source] = (this.#answered[source] ?? 0) + 1;
  }

  isFirstTrial(): boolean {
    return ++this.#trials === 1;
  }

  isToBeTold(): boolean {
    const now = performance.now();
    if (now < this.#next) return false;
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    this.#next = now + this.#pause;
    return true;
  }

  told(): object {
    return {
      open_s: seconds(performance.now() - this.#since),
      trials: this.#trials,
      answered: { ...this.#answered },
    };
  }
}

/** Of all services of a configuration. */
export class Outages {
  readonly #log: Log;
  readonly #shown: Shown;
  readonly #services = new Map<string, Outage>();

  constructor(log: Log, shown: Shown = (detail) => detail) {
    this.#log = log;
    this.#shown = shown;
  }

  of(service: string): Outage {
    let outage = this.#services.get(service);
    if (outage === undefined) {
      outage = new Outage(service, this.#log, this.#shown);
      this.#services.set(service, outage);
    }
    return outage;
  }

  note(decision: Decision): void {
    if (decision.service !== undefined) this.#services.get(decision.service)?.note(decision);
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000);
}
