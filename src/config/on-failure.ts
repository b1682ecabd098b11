/**
 * What Postfix is answered when the authorization service gives no usable answer (`on_failure`).
 *
 * Read once into an answer for each cause, so that a request in trouble only looks it up.
 */
import { VERBS } from "../model/action.ts";
import { CAUSES, type Cause, type Failure } from "../model/failure.ts";
import { referenceOf } from "../model/reference.ts";
import type { PolicyRequest } from "../model/request.ts";
import type { Path } from "../source/position.ts";
import { suggestion } from "../text/nearest.ts";
import { readAction } from "./action.ts";
import type { Report } from "./report.ts";
import type { RawOnFailure } from "./schema.ts";

/**
 * The answer for each cause, and for an overload that who asks has brought about himself: null closes the connection without a
 * reply; else the pieces of an action, among them what is filled in when it is sent.
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

/**
 * The action for a failure; null: close the connection without a reply.
 *
 * @param request null: what is filled in for each request stays as it is written
 */
export function answerTo(
  onFailure: OnFailure,
  { cause, provoked }: Pick<Failure, "cause" | "provoked">,
  request: Pick<PolicyRequest, "id" | "host"> | null,
): string | null {
  const pieces = onFailure[provoked && cause === "overload" ? "own_overload" : cause];
  if (pieces === null) return null;
  if (pieces.length === 1) return pieces[0] ?? null;
  return pieces.map((piece) => (request && FILLED_IN[piece]?.(request)) ?? piece).join("");
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

/** What is known when the action is sent. */
const FILLED_IN: Readonly<Record<string, (request: Pick<PolicyRequest, "id" | "host">) => string>> = {
  "${request_id}": ({ id }) => id,
  "${reference}": referenceOf,
};
/** Stands for it meanwhile, as long as it can be. */
const EXAMPLE = { id: "00000000-0000-4000-8000-000000000000", host: "x".repeat(16) };

/** An action with `${cause}`, known here, `${request_id}` and `${reference}`, known when it is sent. */
function parseTemplate(text: string, cause: Cause): readonly string[] | Omit<OnFailureProblem, "path"> {
  const unknown = /\$\{(?!(?:cause|request_id|reference)\})/.exec(text);
  if (unknown !== null) {
    return {
      offset: unknown.index,
      message: "only ${cause}, ${request_id} and ${reference} can stand in this text",
    };
  }
  const filled = text.replaceAll("${cause}", cause);
  const longest = filled.replace(PLACES, (place) => FILLED_IN[place]!(EXAMPLE));
  const action = readAction(longest);
  if ("problem" in action) {
    // One word is either of ours or a verb; with more behind it, it was meant as an action.
    if (!/^[A-Za-z_-]+$/.test(text)) return { offset: 0, message: action.problem };
    const problem = suggestion(text, [...WORDS, ...VERBS]) || `; ${action.problem}`;
    return { offset: 0, message: `expected ${WORDS.join(", ")} or an action${problem}` };
  }
  let written = action.action;
  for (const [place, fill] of Object.entries(FILLED_IN)) written = written.replaceAll(fill(EXAMPLE), place);
  return written.split(PLACES).filter((piece) => piece !== "");
}

const PLACES = /(\$\{(?:request_id|reference)\})/;

function forEachCause(answer: (cause: Cause) => Answer): Readonly<Record<Cause, Answer>> {
  return Object.fromEntries(CAUSES.map((cause) => [cause, answer(cause)])) as Record<Cause, Answer>;
}
