/**
 * Secrets: values that leave the process only where they are meant to go.
 *
 * A `Secret` shows as `***` however it is printed. One that is kept in a file may change while it is in use; whoever needs
 * more than its value of the moment follows it.
 */
import { inspect } from "node:util";

export const MASK = "***";

export class Secret {
  #value: string;
  readonly #followers: (() => void)[] = [];

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that sends it. */
  reveal(): string {
    return this.#value;
  }

  /** Calls `told` now, and after each change. */
  follow(told: () => void): void {
    this.#followers.push(told);
    told();
  }

  protected replace(value: string): void {
    this.#value = value;
    for (const told of this.#followers) told();
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/** The values by name, always those in use. */
export function revealed(secrets: Readonly<Record<string, Secret>>): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [name, secret] of Object.entries(secrets)) {
    secret.follow(() => values.set(name, secret.reveal()));
  }
  return values;
}
