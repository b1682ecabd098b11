/** A mistake in a file that a person wrote: what, where, and what to do. */

export interface Problem {
  readonly file: string;
  /** From 1; absent where the whole file is meant. */
  readonly line?: number;
  readonly column?: number;
  /** What is wrong, what was expected, what to write instead. One or more sentences, no line break. */
  readonly message: string;
  readonly severity: "error" | "warning";
}

/** Thrown when a file cannot be used; carries every problem that was found, not just the first. */
export class ProblemError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.name = "ProblemError";
    this.problems = problems;
  }
}

/** The same without what was said already, word for word and of the same place. */
export function distinct(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Set<string>();
  return problems.filter((problem) => {
    const text = formatProblem(problem);
    return seen.has(text) ? false : seen.add(text);
  });
}

/** A file that cannot be used at all. Where `what` begins with its path, that is said once. */
export function unusable(file: string, what: string): ProblemError {
  const message = what.startsWith(`${file} `) ? `it${what.slice(file.length)}` : what;
  return new ProblemError([{ file, message, severity: "error" }]);
}

/** `pfxbridge.yaml:4:9: error: unknown key "timout"; did you mean "timeout"?` */
export function formatProblem(problem: Problem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined).join(":");
  return `${place}: ${problem.severity}: ${problem.message}`;
}
