/** The two ways in which an expression goes wrong: when it is loaded, and when it runs. */

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

const MAX_MESSAGE = 300;

/** A message as one line of bounded length, whatever values it quotes. */
export function oneLine(message: string): string {
  const line = message.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}…` : line;
}
