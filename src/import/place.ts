/** Line and column of a character, for messages about a description. */
import { ProblemError } from "../source/problem.ts";

/** @param offset from 0; undefined where the whole document is meant */
export function problemAt(
  file: string,
  text: string,
  offset: number | undefined,
  message: string,
): ProblemError {
  if (offset === undefined) return new ProblemError([{ file, message, severity: "error" }]);
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  const column = offset - before.lastIndexOf("\n");
  return new ProblemError([{ file, line, column, message, severity: "error" }]);
}
