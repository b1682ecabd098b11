/** What came of the reloads of this process, for whoever asked for one and for the status. */
import type { LastReload, ReloadOutcome } from "../control/controls.ts";
import { formatProblem, type Problem, ProblemError } from "../source/problem.ts";

export class ReloadRecord {
  #last: LastReload | null = null;

  /** Null: there has been none. */
  get last(): LastReload | null {
    return this.#last;
  }

  loaded(warnings: readonly Problem[]): ReloadOutcome {
    const outcome = { loaded: true, at: new Date().toISOString(), problems: warnings.map(formatProblem) };
    this.#last = { ...outcome, refused_since: null };
    return outcome;
  }

  refused(error: unknown): ReloadOutcome {
    const at = new Date().toISOString();
    const outcome = { loaded: false, at, problems: problemsOf(error) };
    this.#last = { ...outcome, refused_since: this.#last?.refused_since ?? at };
    return outcome;
  }
}

function problemsOf(error: unknown): readonly string[] {
  if (error instanceof ProblemError) return error.problems.map(formatProblem);
  return [`error: ${(error as Error)?.message ?? String(error)}`];
}
