/**
 * Checks a document's data against a zod schema, and says what does not fit in an administrator's words.
 *
 * Schemas give their own message only where it can say more than a type does ("expected a duration such as
 * 250ms"); everything else is worded here, so that it reads the same everywhere.
 */
import type { z } from "zod";
import { excerpt, namesSecret } from "../text/excerpt.ts";
import { suggestion } from "../text/nearest.ts";
import type { YamlDocument } from "./document.ts";
import type { Path } from "./position.ts";
import { distinct, type Problem, ProblemError } from "./problem.ts";

type Issue = z.core.$ZodIssue;
/** The keys that were possible where each list of unknown keys was found. */
type KnownKeys = WeakMap<readonly string[], readonly string[]>;

/**
 * The document's data as the schema gives it, or a ProblemError with all that is wrong in the document, as YAML
 * and in its shape.
 */
export function checkShape<T>(document: YamlDocument, schema: z.ZodType<T>): T {
  if (document.value === null && document.problems.length > 0) throw new ProblemError(document.problems);
  const known: KnownKeys = new WeakMap();
  const result = schema.safeParse(document.value, { error: (issue) => noteKnownKeys(issue, known) });
  const taken = new Set(document.problems.map(({ line }) => line));
  const misfits = result.success
    ? []
    : result.error.issues
        .flatMap((issue) => toProblems(issue, [], document, known))
        // What a trap turned into something else has the wrong type too; one message is enough.
        .filter(({ line }) => !taken.has(line));
  const problems = [...distinct([...document.problems, ...misfits])].sort(byPlace);
  if (!result.success || problems.length > 0) throw new ProblemError(problems);
  return result.data;
}

function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** Takes the place of zod's wording: empty unless the schema has its own. */
function noteKnownKeys(issue: z.core.$ZodRawIssue, known: KnownKeys): string {
  if (issue.code === "unrecognized_keys") {
    const definition: object = issue.inst?._zod.def ?? {};
    if ("shape" in definition && typeof definition.shape === "object" && definition.shape !== null) {
      known.set(issue.keys, Object.keys(definition.shape));
    }
  }
  return "";
}

function toProblems(
  issue: Issue,
  prefix: Path,
  document: YamlDocument,
  known: KnownKeys,
): readonly Problem[] {
  const path = [...prefix, ...issue.path.map((step) => (typeof step === "symbol" ? String(step) : step))];
  if (issue.message !== "") {
    return [document.problem(path, missingKey(path, document.value, issue.message) ?? issue.message)];
  }
  if (issue.code === "unrecognized_keys") {
    const possible = known.get(issue.keys) ?? [];
    return issue.keys.map((key) => {
      const near = suggestion(key, possible);
      const otherwise = near || `; expected ${alternatives(possible)}`;
      return document.problem([...path, key], `unknown key "${excerpt(key)}"${otherwise}`, { key: true });
    });
  }
  if (issue.code === "invalid_union") return unionProblems(issue.errors, path, document, known);
  if (issue.code === "invalid_key") {
    const message = issue.issues.map((inner) => inner.message).find((text) => text !== "");
    return [document.problem(path, message ?? "this key cannot be used here", { key: true })];
  }
  return [document.problem(path, inWords(issue, path, document.value))];
}

/** Of several forms that a value may have, speaks of the one that it comes nearest to. */
function unionProblems(
  branches: readonly (readonly Issue[])[],
  path: Path,
  document: YamlDocument,
  known: KnownKeys,
): readonly Problem[] {
  const ofRightType = branches.filter(
    (issues) => !issues.some(({ code, path: at }) => code === "invalid_type" && at.length === 0),
  );
  const nearest = ofRightType.toSorted((a, b) => misfit(a) - misfit(b))[0];
  if (nearest !== undefined) return nearest.flatMap((issue) => toProblems(issue, path, document, known));
  const expected = branches
    .flat()
    .flatMap((issue) => (issue.code === "invalid_type" ? [typeName(issue.expected)] : []));
  const forms = `expected ${alternatives([...new Set(expected)], "")}`;
  const message = missingKey(path, document.value, forms) ?? forms + gotInstead(path, document.value);
  return [document.problem(path, message)];
}

/** An unknown key speaks more against a form than anything else. */
function misfit(issues: readonly Issue[]): number {
  return issues.reduce(
    (sum, { code, path }) => sum + (code === "unrecognized_keys" && path.length === 0 ? 10 : 1),
    0,
  );
}

function inWords(issue: Issue, path: Path, root: unknown): string {
  const value = valueAt(root, path);
  const got = gotInstead(path, root);
  switch (issue.code) {
    case "invalid_type":
      return (
        missingKey(path, root, `expected ${typeName(issue.expected)}`) ??
        `expected ${typeName(issue.expected)}${got}${quotingHint(issue.expected, value)}`
      );
    case "invalid_value": {
      const values = issue.values.map(String);
      const near = typeof value === "string" ? suggestion(value, values) : "";
      return `expected ${alternatives(values)}${got}${near}`;
    }
    case "too_small":
      if (issue.origin === "string") return "expected text, got an empty one";
      if (issue.origin === "array") return `expected at least ${issue.minimum} in the list`;
      return `expected ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}${got}`;
    case "too_big":
      if (issue.origin === "string") return `expected at most ${issue.maximum} characters`;
      if (issue.origin === "array") return `expected at most ${issue.maximum} in the list`;
      return `expected at most ${issue.maximum}${got}`;
    default:
      return `this value does not fit here${got}`;
  }
}

function missingKey(path: Path, root: unknown, expected: string): string | undefined {
  const key = path.at(-1);
  const missing = typeof key === "string" && valueAt(root, path) === undefined;
  return missing ? `"${excerpt(key)}" is missing; ${expected}` : undefined;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a table (`key: value`)",
  record: "a table (`key: value`)",
  null: "nothing",
};

function typeName(type: string): string {
  return TYPE_NAMES[type] ?? type;
}

function quotingHint(expected: string, value: unknown): string {
  if (expected !== "string") return "";
  if (typeof value === "number" || typeof value === "boolean") return "; put it in quotes";
  const looksLikeText =
    typeof value === "object" && value !== null && Object.keys(value).some((key) => key.includes(" "));
  return looksLikeText ? "; `: ` in a text needs the whole of it in quotes" : "";
}

function gotInstead(path: Path, root: unknown): string {
  const value = valueAt(root, path);
  const secret = path.some((step) => typeof step === "string" && namesSecret(step));
  return secret && typeof value !== "object" ? "" : `, got ${describe(value)}`;
}

/** A value as an error message names it: `"abc"`, `the number 550`, `a list`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "string") return `"${excerpt(value)}"`;
  if (typeof value === "number") return `the number ${value}`;
  if (typeof value === "boolean") return String(value);
  return Array.isArray(value) ? "a list" : "a table";
}

function alternatives(values: readonly string[], quote = '"'): string {
  const quoted = values.map((value) => `${quote}${value}${quote}`);
  return quoted.length < 2
    ? (quoted[0] ?? "nothing")
    : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}
