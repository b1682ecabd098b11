/** Collects what is wrong with a configuration, so that all of it can be said at once. */
import { dirname, resolve } from "node:path";
import { isReadableByAll } from "../files/rights.ts";
import type { ProblemOptions, YamlDocument } from "../source/document.ts";
import type { Path } from "../source/position.ts";
import { distinct, type Problem } from "../source/problem.ts";

export class Report {
  readonly file: string;
  readonly owner: number | undefined;
  readonly #document: YamlDocument;
  readonly #problems: Problem[] = [];

  /** @param owner whose, besides root's, files may be that root uses: the user that the bridge will be */
  constructor(document: YamlDocument, owner?: number) {
    this.file = document.file;
    this.owner = owner;
    this.#document = document;
  }

  /** In the order of the file; what is wrong with other files comes after. */
  get problems(): readonly Problem[] {
    const elsewhere = ({ file }: Problem) => (file === this.file ? 0 : 1);
    return distinct(this.#problems).toSorted(
      (a, b) =>
        elsewhere(a) - elsewhere(b) ||
        a.file.localeCompare(b.file) ||
        (a.line ?? 0) - (b.line ?? 0) ||
        (a.column ?? 0) - (b.column ?? 0),
    );
  }

  get failed(): boolean {
    return this.#problems.some(({ severity }) => severity === "error");
  }

  error(path: Path, message: string, options: ProblemOptions = {}): void {
    this.#problems.push(this.problem(path, message, options));
  }

  warn(path: Path, message: string, options: ProblemOptions = {}): void {
    this.#problems.push(this.problem(path, message, { ...options, severity: "warning" }));
  }

  /** Warns where a file that holds a secret is one that every user of the machine can read. */
  warnIfPublic(path: Path, file: string): void {
    if (!isReadableByAll(file)) return;
    this.warn(path, `every user of this machine can read this secret; chmod o-r ${file}`);
  }

  /** A problem with what the path leads to, for somebody else to report. */
  problem(path: Path, message: string, options: ProblemOptions = {}): Problem {
    return this.#document.problem(path, message, options);
  }

  /** What another file is found guilty of. */
  include(problems: readonly Problem[]): void {
    this.#problems.push(...problems);
  }

  /** The absolute path of a file that the configuration names relative to itself. */
  resolve(path: string): string {
    return resolve(dirname(this.file), path);
  }
}
