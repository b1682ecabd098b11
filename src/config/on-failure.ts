/**
 * What Postfix is answered when the authorization service gives no usable answer (`on_failure`).
 *
 * Read once into an answer for each cause, so that a request in trouble only looks it up.
 */
import { VERBS } from "../model/action.ts";
import { CAUSES, type Cause, type Failure } from "../model/failure.ts";
import type { Path } from "../source/position.ts";
import { suggestion } from "../text/nearest.ts";
import { readAction } from "./action.ts";
import type { Report } from "./report.ts";
import type { RawOnFailure } from "./schema.ts";

/**
 * The answer for each cause, and for an overload that who asks has brought about himself: null closes the connection without a
 * reply; else the pieces of an action, between which the request_id goes.
 */
export type OnFailure = Readonly<Record<Cause | "own_overload", Answer>>;

/** DEFER, not DEFER_IF_PERMIT: that one bounces mail where the bridge grants relaying. */
const CLOSED = ["DEFER 4.3.0 Authorization service unavailable, please try again later"] as const;
const OPEN = ["DUNNO"] as const;
const WORDS = ["fail-closed", "fail-open", "postfix-default"];

/**
 * Causes that speak of the service's condition. The others can be provoked by a single request; so can `timeout` and `http_5xx`, but
 * only by one that the service itself is not up to.
 */
export const NOT_PROVOKED: ReadonlySet<Cause> = new Set([
  "unreachable",
  "timeout",
  "circuit_open",
  "overload",
  "http_5xx",
  "offline",
]);

export const FAIL_CLOSED: OnFailure = { ...forEachCause(() => CLOSED), own_overload: CLOSED };

/** What is wrong with an `on_failure`: the path below it, and where in the text. */
interface OnFailureProblem {
  readonly path: readonly string[];
  readonly offset: number;
  readonly message: string;
}

/**
 * Reads what stands at `on_failure`: `fail-closed`, `fail-open`, `postfix-default`, an action, or a table of
 * these by cause.
 *
 *     parseOnFailure({ circuit_open: "fail-open", default: "DEFER 4.7.0 ${cause}" })
 */
export function parseOnFailure(
  raw: RawOnFailure,
): { readonly onFailure: OnFailure } | { readonly problems: readonly OnFailureProblem[] } {
  const problems: OnFailureProblem[] = [];
  const read = (text: string, cause: Cause, opens: boolean, path: readonly string[]) => {
    const answer = parseAnswer(text, cause, opens);
    if (answer === null || !("message" in answer)) return answer;
    // A text for every cause is wrong for each of them; it is said once.
    if (!problems.some((problem) => problem.path.join() === path.join())) problems.push({ path, ...answer });
    return CLOSED;
  };
  const table = typeof raw === "string" ? { default: raw } : raw;
  const answer = (cause: Cause, opens: boolean) => {
    const own = table[cause];
    if (own !== undefined) return read(own, cause, true, [cause]);
    return read(table.default ?? "fail-closed", cause, opens, typeof raw === "string" ? [] : ["default"]);
  };
  const onFailure: OnFailure = {
    ...forEachCause((cause) => answer(cause, NOT_PROVOKED.has(cause))),
    own_overload: answer("overload", false),
  };
  return problems.length === 0 ? { onFailure } : { problems };
}

/** Reads what stands at `path`; undefined, and problems in the report, when it cannot be read. */
export function readOnFailure(raw: RawOnFailure, path: Path, report: Report): OnFailure | undefined {
  const parsed = parseOnFailure(raw);
  if ("onFailure" in parsed) return parsed.onFailure;
  for (const { path: below, message, offset } of parsed.problems) {
    report.error([...path, ...below], message, { offset });
  }
  return undefined;
}

/** The action for a failure; null: close the connection without a reply. */
export function answerTo(
  onFailure: OnFailure,
  { cause, provoked }: Pick<Failure, "cause" | "provoked">,
  requestId: string,
): string | null {
  const pieces = onFailure[provoked && cause === "overload" ? "own_overload" : cause];
  if (pieces === null) return null;
  return pieces.length === 1 ? (pieces[0] ?? null) : pieces.join(requestId);
}

type Answer = readonly string[] | null;

/** @param opens whether `fail-open` covers it */
function parseAnswer(text: string, cause: Cause, opens: boolean): Answer | Omit<OnFailureProblem, "path"> {
  switch (text) {
    case "fail-closed":
      return CLOSED;
    case "fail-open":
      return opens ? OPEN : CLOSED;
    case "postfix-default":
      return null;
    default:
      return parseTemplate(text, cause);
  }
}

/** An action with `${cause}`, known here, and `${request_id}`, known when it is sent. */
function parseTemplate(text: string, cause: Cause): readonly string[] | Omit<OnFailureProblem, "path"> {
  const unknown = /\$\{(?!(?:cause|request_id)\})/.exec(text);
  if (unknown !== null) {
    return { offset: unknown.index, message: "only ${cause} and ${request_id} can stand in this text" };
  }
  const filled = text.replaceAll("${cause}", cause);
  const action = readAction(filled.replaceAll("${request_id}", EXAMPLE_REQUEST_ID));
  if ("problem" in action) {
    // One word is either of ours or a verb; with more behind it, it was meant as an action.
    if (!/^[A-Za-z_-]+$/.test(text)) return { offset: 0, message: action.problem };
    const problem = suggestion(text, [...WORDS, ...VERBS]) || `; ${action.problem}`;
    return { offset: 0, message: `expected ${WORDS.join(", ")} or an action${problem}` };
  }
  return action.action.split(EXAMPLE_REQUEST_ID);
}

const EXAMPLE_REQUEST_ID = "00000000-0000-4000-8000-000000000000";

function forEachCause(answer: (cause: Cause) => Answer): Readonly<Record<Cause, Answer>> {
  return Object.fromEntries(CAUSES.map((cause) => [cause, answer(cause)])) as Record<Cause, Answer>;
}
