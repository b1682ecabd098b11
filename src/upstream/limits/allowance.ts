/**
 * How often something that one client brings about counts for all: a few times within a window, and no more.
 *
 * It remembers no more than `MOST_NAMES` names; when there are more the one longest unheard of is forgotten. Who has that many
 * addresses at hand has no need of one that is forgotten.
 */

const MOST_NAMES = 4096;

export class Allowance {
  readonly #most: number;
  readonly #window: number;
  /** When it counted, oldest first, for each name; the name longest unheard of first. */
  readonly #counted = new Map<string, readonly number[]>();

  /**
   * @param most times within the window
   * @param window in milliseconds
   */
  constructor(most: number, window: number) {
    this.#most = most;
    this.#window = window;
  }

  /** How many names it remembers. */
  get size(): number {
    return this.#counted.size;
  }

  /**
   * Whether it counts once more: all of those behind it have some left, and then each has one less. What nobody is
   * behind always counts.
   *
   * @param now in milliseconds, never going back
   */
  take(names: readonly string[], now: number): boolean {
    const lately = names.map((name) =>
      (this.#counted.get(name) ?? []).filter((time) => now - time < this.#window),
    );
    if (lately.some(({ length }) => length >= this.#most)) return false;
    for (const [index, name] of names.entries()) this.#remember(name, [...lately[index]!, now]);
    return true;
  }

  #remember(name: string, times: readonly number[]): void {
    this.#counted.delete(name);
    this.#counted.set(name, times);
    if (this.#counted.size <= MOST_NAMES) return;
    for (const oldest of this.#counted.keys()) {
      this.#counted.delete(oldest);
      break;
    }
  }
}
