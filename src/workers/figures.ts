/**
 * The workers' figures over their lives. What only grows must not shrink when a worker ends or says nothing for a while, or
 * monitoring would take it for a fresh start of all: so what each said last is kept.
 */
import { type Figures, growing, sumOfFigures } from "../bridge/figures.ts";

export class WorkerFigures<W> {
  /** Of those that have ended, as they said last. */
  #ended: Figures = {};
  readonly #last = new Map<W, Figures>();

  /** What a worker says of itself. */
  said(worker: W, figures: Figures): void {
    this.#last.set(worker, figures);
  }

  /** It has ended; another begins at nought. */
  ended(worker: W): void {
    const { cpu, ...last } = this.#last.get(worker) ?? {};
    this.#last.delete(worker);
    this.#ended = sumOfFigures([this.#ended, growing(last)]);
  }

  /** Of those among `answered` all; of the others what only grows. */
  sum(answered: ReadonlySet<W>): Figures {
    const parts = [...this.#last].map(([worker, figures]) =>
      answered.has(worker) ? figures : growing(figures),
    );
    return sumOfFigures([this.#ended, ...parts]);
  }
}
