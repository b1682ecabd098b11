/** Who is behind a call, for the limits that keep one from using up what is there for all. */

export interface Asker {
  /** Who has a share of the slots of its own; empty: nobody in particular, whom nothing is kept from. */
  readonly subject: string;
  /** Whose failures these are, of which a circuit counts a few only; empty: nobody's, and each counts. */
  readonly blamed: readonly string[];
}

/** Of a call that no request of Postfix is behind, or where nobody is told from others. */
export const ANYBODY: Asker = { subject: "", blamed: [] };

/** Of a call that asks for several at once. */
export const SEVERAL: Asker = { subject: "several clients", blamed: ["several clients"] };
