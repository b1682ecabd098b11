/** `warm` of a service: a file of policy requests, one JSON object a line, whose decisions are to be known beforehand. */
import { runsAsRoot } from "../files/hands.ts";
import { type PolicyRequest, policyRequest } from "../model/request.ts";
import { type Problem, ProblemError, unusable } from "../source/problem.ts";
import { readTrusted } from "../source/trusted.ts";

const MAX_FILE_SIZE = 64 * 1024 * 1024;
const MAX_REQUESTS = 100_000;

/**
 * Reads `{"sender": "a@example.org", "client_address": "192.0.2.1"}` and the like, one a line; empty lines are passed over.
 *
 * @param owner whose, besides root's, it may be
 * @throws ProblemError with what is wrong, and in which line
 */
export function readWarmFile(file: string, owner?: number): readonly PolicyRequest[] {
  const source = readTrusted(file, MAX_FILE_SIZE, runsAsRoot(), owner);
  if ("problem" in source) throw unusable(file, source.problem);
  const problems: Problem[] = [];
  const requests: PolicyRequest[] = [];
  for (const [index, text] of source.text.split("\n").entries()) {
    if (text.trim() === "") continue;
    const attributes = readAttributes(text);
    if ("problem" in attributes) {
      problems.push({ file, line: index + 1, message: attributes.problem, severity: "error" });
      if (problems.length >= 20) break;
      continue;
    }
    requests.push(policyRequest(attributes.values, { listener: "warm" }));
  }
  if (requests.length > MAX_REQUESTS) {
    problems.push({ file, message: `more than ${MAX_REQUESTS} requests`, severity: "error" });
  }
  if (problems.length > 0) throw new ProblemError(problems);
  return requests;
}

function readAttributes(text: string): { values: Map<string, string> } | { problem: string } {
  const expected = 'expected an object of attributes, such as {"sender": "a@example.org"}';
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { problem: `this line is no JSON; ${expected}` };
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return { problem: expected };
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(parsed)) {
    if (typeof value !== "string" && typeof value !== "number") {
      return { problem: `the value of "${name}" must be a text` };
    }
    values.set(name, String(value));
  }
  return { values };
}
