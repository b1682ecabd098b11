/** What the attempts to ask a service came to, in numbers. Outlives a reload. */
import { CAUSES, type Cause } from "../model/failure.ts";
import { Histogram, SECONDS } from "../observe/histogram.ts";

export class AttemptMeter {
  /** Complete replies, whatever their status, and ends without one by cause. */
  readonly outcomes: Record<"reply" | Cause, number> = {
    reply: 0,
    ...(Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>),
  };
  /** In seconds, of those that ended with a complete reply. */
  readonly durations = new Histogram(SECONDS);

  replied(milliseconds: number): void {
    this.outcomes.reply++;
    this.durations.add(milliseconds / 1000);
  }

  failed(cause: Cause): void {
    this.outcomes[cause]++;
  }
}
