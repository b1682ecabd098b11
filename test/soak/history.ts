/** What was done to the bridge and around it, and when: what the checker excuses an answer with. Times are Date.now(). */

export interface Span {
  readonly from: number;
  /** Infinity: until now. */
  to: number;
}

/** A sender who must not send any more: `asked` when that was decided, `done` when `forget` had been confirmed. */
export interface Revocation {
  readonly asked: number;
  done: number;
}

/** A configuration that was in use, by the number that its on_failure shows. */
export interface Generation extends Span {
  readonly number: number;
}

export class History {
  readonly serviceAway: Span[] = [];
  readonly redisAway: Span[] = [];
  /** Switched offline by hand, from the command's begin to the end of `online`. */
  readonly offline: Span[] = [];
  /** Of these, from when the command was confirmed to when it was to end: no call may be made. */
  readonly noCalls: Span[] = [];
  /** Of workers. */
  readonly kills: number[] = [];
  readonly revocations = new Map<string, Revocation>();
  readonly generations: Generation[] = [];
  /** How often each fault was done. */
  readonly counts: Record<string, number> = {};
  /** What went wrong in doing them. */
  readonly problems: string[] = [];

  count(fault: string): void {
    this.counts[fault] = (this.counts[fault] ?? 0) + 1;
  }

  /** Opens a span, to be ended by `end`. */
  begin(spans: Span[]): Span {
    const span = { from: Date.now(), to: Number.POSITIVE_INFINITY };
    spans.push(span);
    return span;
  }

  end(span: Span): void {
    span.to = Date.now();
  }
}

/** Whether one of the spans has a moment in common with this time. */
export function during(spans: readonly Span[], from: number, to: number, afterwards = 0): boolean {
  return spans.some((span) => span.from <= to && from <= span.to + afterwards);
}
