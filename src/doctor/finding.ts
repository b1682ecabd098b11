/** What the doctor says: one line each, good or bad; of what is amiss also how to mend it. */

export interface Finding {
  /** `amiss` makes the exit status 1; `note` is for somebody to look at who knows what was meant. */
  readonly level: "well" | "note" | "amiss";
  /** Of what: `service corp`, `Postfix`, a store. */
  readonly about: string;
  readonly message: string;
  /** What to do, where the message does not say so itself. */
  readonly mend?: string;
}

export function well(about: string, message: string): Finding {
  return { level: "well", about, message };
}

export function note(about: string, message: string, mend?: string): Finding {
  return { level: "note", about, message, ...(mend !== undefined && { mend }) };
}

export function amiss(about: string, message: string, mend?: string): Finding {
  return { level: "amiss", about, message, ...(mend !== undefined && { mend }) };
}

/** The same said once: several smtpd services of master.cf often share one line of main.cf. */
export function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ level, about, message }) => {
    const key = JSON.stringify([level, about, message]);
    return !seen.has(key) && seen.add(key);
  });
}
