/** The two ways in which an expression goes wrong: when it is loaded, and when it runs. */

import { oneLine } from "../text/one-line.ts";

/** The expression cannot be used: bad syntax, a wrong type, a name that does not exist. */
export class ExpressionError extends Error {
  /** Where in the text that was compiled, in UTF-16 units from 0. */
  readonly offset: number;

  /** @param message one line: what is wrong and what to write instead */
  constructor(message: string, offset: number) {
    super(message);
    this.name = "ExpressionError";
    this.offset = offset;
  }
}

/** The expression has no value for these variables, as where a member of a reply is missing. */
export class EvaluationError extends Error {
  /** @param message of any origin; made one line without control characters */
  constructor(message: string) {
    super(oneLine(message));
    this.name = "EvaluationError";
  }
}
