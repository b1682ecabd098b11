/**
 * Proves each answer: that it is what the service says, or what was remembered of that, or the configured default for a
 * cause that there was; that it came in time; and that the log says the same. What cannot be proved is wrong.
 */
import type { Entry, Ledger } from "./authorization.ts";
import { DEADLINE, defaultOf, STALE } from "./bridge.ts";
import { type DecisionLog, type Line, nameOf } from "./decision-log.ts";
import { during, type History } from "./history.ts";
import type { Asked } from "./load.ts";
import type { PolicyConnection, Try } from "./smtpd.ts";
import { keyOf, refusalOf } from "./truth.ts";

/** Milliseconds. An answer is there so long after the deadline at the latest. */
const PROMISED = 50;
/** After the service is back a circuit may still be open, a try of it may fail. */
const CIRCUIT_TIME = 6000;
/** A closed connection is noticed by then. */
const KILL_TIME = 1000;
/** What a worker that is killed had answered and not yet logged. */
const UNLOGGED_TIME = 500;
/** A machine that keeps everybody waiting so long brings about time-outs of its own. */
const BUSY = 100;

/** What was wrong, and with what. */
export interface Wrong {
  readonly what: string;
  readonly detail: string;
}

export interface Evidence {
  readonly asked: readonly Asked[];
  readonly connections: readonly PolicyConnection[];
  readonly ledger: Ledger;
  readonly log: DecisionLog;
  readonly history: History;
  /** Milliseconds that the machine lost between two times. */
  readonly delay: (from: number, to: number) => number;
}

export function check(evidence: Evidence): Wrong[] {
  const checker = new Checker(evidence);
  checker.check();
  return checker.wrongs;
}

class Checker {
  readonly wrongs: Wrong[] = [];
  readonly #evidence: Evidence;

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
  }

  check(): void {
    const { asked, connections, log, history } = this.#evidence;
    for (const one of asked) {
      for (const made of one.tries) this.#checkTry(one, made);
      if (one.action === null) this.#wrong("without an answer", one, "");
      else this.#checkAnswer(one, one.action, one.tries.at(-1)!);
      this.#checkLog(one);
    }
    for (const connection of connections) this.#checkConnection(connection);
    this.#checkOffline();
    const known = new Set(asked.map(nameOfAsked));
    for (const name of log.lines.keys()) {
      if (!known.has(name)) this.#wrong("a decision line of no request", null, name);
    }
    for (const problem of log.problems) this.#wrong("in the log", null, problem);
    for (const problem of history.problems) this.#wrong("a command or reload failed", null, problem);
  }

  /** A try ends with an answer, or because its worker was killed. */
  #checkTry(asked: Asked, { connection, from, to, end }: Try): void {
    if (end === "hung") this.#wrong("no answer, connection left open", asked, `for ${to - from} ms`);
    if (end === "refused") this.#wrong("connection refused", asked, "");
    if ((end === "closed" || end === "found closed") && !this.#wasKilled(connection.closedAt ?? to)) {
      this.#wrong("connection closed although no worker was killed", asked, end);
    }
  }

  #checkAnswer(asked: Asked, action: string, { from, to }: Try): void {
    const late = to - from - DEADLINE - PROMISED;
    if (late > this.#evidence.delay(from, to)) this.#wrong("late", asked, `${to - from} ms`);

    const { call } = asked;
    if (call.state === "VRFY") {
      if (action !== "REJECT 5.7.1 no VRFY here") this.#wrong("not the route's action", asked, action);
      return;
    }
    const fallback = defaultOf(action);
    if (fallback !== undefined) {
      this.#checkDefault(asked, fallback, from, to);
      return;
    }
    const expected = this.#truths(asked, from, to);
    const refusal = action.startsWith("REJECT 5.7.1 ") ? action.slice("REJECT 5.7.1 ".length) : null;
    const isPermit = action === "DUNNO" || action === STALE;
    if ((!isPermit && refusal === null) || !expected.includes(refusal)) {
      const { revocations } = this.#evidence.history;
      const revoked = (revocations.get(call.sender)?.done ?? Number.POSITIVE_INFINITY) < from;
      const what = revoked ? "from memory, although forgotten" : "wrong answer";
      this.#wrong(
        what,
        asked,
        `${action} in place of ${expected.map((text) => text ?? "a permit").join(" or ")}`,
      );
    }
    if (action === STALE) this.#checkRemembered(asked, to);
  }

  /** What the service says to this, at one moment or another of this time. Null: a permit. */
  #truths({ call }: Asked, from: number, to: number): (string | null)[] {
    const revocation = this.#evidence.history.revocations.get(call.sender);
    const truths: (string | null)[] = [];
    if (revocation === undefined || from <= revocation.done) truths.push(refusalOf(call, false, "***"));
    if (revocation !== undefined && revocation.asked <= to) truths.push(refusalOf(call, true, "***"));
    return truths;
  }

  #checkDefault(
    asked: Asked,
    { generation, cause }: { generation: number; cause: string },
    from: number,
    to: number,
  ): void {
    const { generations } = this.#evidence.history;
    if (!generations.some((one) => one.number === generation && one.from <= to && from <= one.to)) {
      this.#wrong("default of a configuration that was not in use", asked, `generation ${generation}`);
    }
    if (!this.#isCaused(asked, cause, from, to)) this.#wrong("default without its cause", asked, cause);
  }

  #isCaused(asked: Asked, cause: string, from: number, to: number): boolean {
    const { history, delay } = this.#evidence;
    if (cause === "offline") return during(history.offline, from, to);
    if (cause === "mapping_error") return asked.scattered;
    if (["unreachable", "timeout", "circuit_open", "overload"].includes(cause)) {
      if (during(history.serviceAway, from, to, CIRCUIT_TIME)) return true;
    }
    if (cause === "timeout" && delay(from, to) > BUSY) return true;
    const failures = this.#entry(asked)?.failures ?? [];
    return failures.some(
      ({ at, outcome }) =>
        (outcome === cause || (outcome === "slow" && cause === "timeout")) &&
        at > from - DEADLINE &&
        at <= to,
    );
  }

  /** Nothing can be remembered that was never said. */
  #checkRemembered(asked: Asked, at: number): void {
    if ((this.#entry(asked)?.repliedAt ?? Number.POSITIVE_INFINITY) > at) {
      this.#wrong("remembered what was never said", asked, "");
    }
  }

  #checkLog(asked: Asked): void {
    const lines = this.#evidence.log.lines.get(nameOfAsked(asked)) ?? [];
    const sent = asked.tries.filter(({ end }) => end === "answered" || end === "closed" || end === "hung");
    if (lines.length > sent.length) this.#wrong("more decision lines than tries", asked, `${lines.length}`);
    const last = asked.tries.at(-1)!;
    if (asked.action !== null) {
      const matching = lines.filter(({ action }) => action === asked.action);
      const said = lines.map(({ action }) => action).join("; ");
      if (matching.length === 0 && !(lines.length < sent.length && this.#wasUnlogged(last))) {
        this.#wrong("no decision line with this action", asked, `${asked.action}; logged: ${said}`);
      }
    }
    for (const line of lines) this.#checkLine(asked, line);
  }

  #checkLine(asked: Asked, { at, source, cause }: Line): void {
    const from = asked.tries[0]!.from;
    if (source === "cache" || source === "stale") this.#checkRemembered(asked, at);
    if (source === "stale" && !this.#isCaused(asked, cause ?? "", from, at)) {
      this.#wrong("a reply past its ttl without a cause", asked, cause ?? "");
    }
    if ((source === "route") !== (asked.call.state === "VRFY")) this.#wrong("source", asked, source);
  }

  /** Nobody closes a connection that Postfix may use again, nor says what was not asked. */
  #checkConnection({ closedAt, stray }: PolicyConnection): void {
    if (closedAt !== null && !this.#wasKilled(closedAt)) {
      this.#wrong("idle connection closed although no worker was killed", null, when(closedAt));
    }
    if (stray !== "") this.#wrong("bytes that nobody asked for", null, JSON.stringify(stray));
  }

  #checkOffline(): void {
    const { history, ledger } = this.#evidence;
    for (const { from, to } of history.noCalls) {
      const calls = ledger.calls.filter((at) => at > from + DEADLINE && at < to).length;
      if (calls > 0) this.#wrong("calls although switched offline", null, `${calls} after ${when(from)}`);
    }
  }

  /** The connection was lost so soon after the answer that its worker could not log it any more. */
  #wasUnlogged({ connection, to }: Try): boolean {
    const { closedAt } = connection;
    if (closedAt !== null) return closedAt - to < UNLOGGED_TIME;
    // It was closed by the client before it could be seen.
    return this.#evidence.history.kills.some((at) => at >= to - UNLOGGED_TIME && at <= to + UNLOGGED_TIME);
  }

  #wasKilled(at: number): boolean {
    const { history, delay } = this.#evidence;
    return history.kills.some((kill) => kill <= at && at <= kill + KILL_TIME + delay(kill, at));
  }

  #entry({ call }: Asked): Entry | undefined {
    return this.#evidence.ledger.entries.get(keyOf(call));
  }

  #wrong(what: string, asked: Asked | null, detail: string): void {
    const about = asked === null ? "" : `${when(asked.tries[0]!.from)} ${nameOfAsked(asked)} `;
    this.wrongs.push({ what, detail: `${about}${detail}` });
  }
}

function nameOfAsked({ instance, call }: Asked): string {
  return nameOf(instance, call.state, call.recipient);
}

function when(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
