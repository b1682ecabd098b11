/**
 * The `response` of a mapping that nobody has decided yet: a rule for each answer that the description knows, each a failure
 * until somebody says what it means. And the examples that show it.
 */

import { fillReply, sampleOf, UNDECIDED, withoutExpressions } from "./fill.ts";
import { type GuessedDecision, likelyDecision, type Meaning, meaningOf } from "./guess-decision.ts";
import type { DescribedReply } from "./operation.ts";
import type { Scalar, Step, Way } from "./shape.ts";
import { memberXml } from "./xml-text.ts";
import { comment, entry, type Item, Table, type Yaml } from "./yaml.ts";

/** One answer of the service. */
interface DraftedAnswer {
  readonly when: string;
  /** For people. */
  readonly what: string;
  /** The value in an example; undefined where there is none. */
  readonly value: Scalar | undefined;
  readonly meaning: Meaning;
  /** Whether `when` holds a value that must be put in. */
  readonly open: boolean;
}

/** More than a service would tell apart. */
const MOST_ANSWERS = 12;

export interface DraftRules {
  readonly rules: readonly Item[];
  /** One for each rule; `request` is added by the caller. */
  readonly examples: readonly { readonly name: string; readonly reply: Table; readonly choice: string }[];
  /** What was taken for the decision, for people. */
  readonly decision: string;
}

/** @param permit the action of a permit that is proposed */
export function draftRules(reply: DescribedReply): DraftRules {
  const decision = likelyDecision(reply);
  if (decision === undefined) return undecidedRules(reply);
  const expression = expressionOf(decision.way, reply.kind === "soap");
  const answers = answersOf(decision, expression, reply.kind === "soap");
  return {
    decision: expression,
    rules: answers.map((answer) => ruleOf(answer, decision, reply)),
    examples: answers.flatMap((answer) =>
      answer.value === undefined
        ? []
        : [
            {
              name: comment(answer.what),
              reply: replyOf(reply, decision, answer.value),
              choice: `${UNDECIDED}: what comes of it, as the rule says${proposal(actionOf(answer.meaning, decision, reply, true))}`,
            },
          ],
    ),
  };
}

function undecidedRules(reply: DescribedReply): DraftRules {
  const what =
    reply.kind === "text"
      ? 'what the reply says when it permits, and what when it denies: rules with `when: text == "…"`'
      : "which member of the reply is the decision: the description does not say. Rules with `when: body.… == …`";
  const text = reply.kind === "text" ? entry("text", "yes") : null;
  return {
    decision: "",
    rules: [
      {
        value: failure(null, "nobody has chosen yet what a reply means"),
        above: [`${UNDECIDED}: ${what}, in place of this one.`],
      },
    ],
    examples: [
      {
        name: "any reply",
        reply: new Table([entry("status", 200), text ?? sampleEntry(reply, [])]),
        choice: `${UNDECIDED}: what comes of it, as the rules say`,
      },
    ],
  };
}

function answersOf({ shape }: GuessedDecision, expression: string, xml: boolean): DraftedAnswer[] {
  const answer = (value: Scalar, when: string): DraftedAnswer => ({
    when,
    what: `${expression} is ${JSON.stringify(value)}`,
    value,
    meaning: meaningOf(value),
    open: false,
  });
  const bool = shape.kind === "value" ? shape.type === "boolean" : !xml;
  if (bool && xml) {
    return [
      answer("true", `${expression} in ["true", "1"]`),
      answer("false", `${expression} in ["false", "0"]`),
    ];
  }
  if (bool) return [true, false].map((value) => answer(value, `${expression} == ${value}`));
  const values = shape.kind === "value" ? shape.values : [];
  if (values.length > 1 && values.length <= MOST_ANSWERS) {
    return values.map((value) => answer(value, `${expression} == ${celLiteral(value, xml)}`));
  }
  // What is compared is a text that no service says.
  const number = shape.kind === "value" && shape.type !== "text" && !xml;
  return (["permit", "deny"] as const).map((meaning) => ({
    when: number
      ? `string(${expression}) == "${UNDECIDED} ${meaning}"`
      : `${expression} == "${UNDECIDED} ${meaning}"`,
    what: `${expression} says ${meaning}`,
    value: number ? undefined : `${UNDECIDED} ${meaning}`,
    meaning,
    open: true,
  }));
}

function celLiteral(value: Scalar, xml: boolean): string {
  return typeof value === "string" || xml ? JSON.stringify(String(value)) : String(value);
}

function ruleOf(answer: DraftedAnswer, decision: GuessedDecision, reply: DescribedReply): Item {
  const action = actionOf(answer.meaning, decision, reply, false);
  const value = answer.open
    ? `the value with which the service says ${answer.meaning} (in place of "${UNDECIDED} ${answer.meaning}"), and then`
    : "what this answer means:";
  const member = answer.when.includes(`.${UNDECIDED}`)
    ? `the member's name in place of .${UNDECIDED}, and `
    : "";
  const line = `${UNDECIDED}: ${member}${value} \`action: …\` in place of failure and detail${proposal(action)}`;
  return {
    value: failure(
      answer.when,
      `nobody has chosen yet what it means that ${withoutExpressions(answer.what)}`,
    ),
    above: [line],
  };
}

function proposal(action: string | undefined): string {
  return action === undefined ? "" : `; perhaps \`action: ${action}\``;
}

function failure(when: string | null, detail: string): Table {
  return new Table([
    when === null ? null : entry("when", when),
    entry("failure", "bad_reply"),
    entry("detail", comment(detail)),
  ]);
}

/** @param example what comes of it for the reply of the example */
function actionOf(
  meaning: Meaning,
  { reason }: GuessedDecision,
  { kind }: DescribedReply,
  example: boolean,
): string | undefined {
  if (meaning === "permit") return "DUNNO";
  if (meaning !== "deny") return undefined;
  if (reason === undefined) return "REJECT 5.7.1 Not authorized";
  if (example) return `REJECT 5.7.1 ${REASON}`;
  return `REJECT 5.7.1 \${first(${optionalExpression(reason, kind === "soap")}, "Not authorized")}`;
}

const REASON = "not today";

function replyOf(reply: DescribedReply, { way, reason }: GuessedDecision, value: Scalar): Table {
  const chosen: (readonly [Way, Scalar])[] = [[way, value]];
  if (reason !== undefined) chosen.push([reason, REASON]);
  return new Table([entry("status", 200), sampleEntry(reply, chosen)]);
}

function sampleEntry(reply: DescribedReply, chosen: readonly (readonly [Way, Scalar])[]) {
  const filled = fillReply(reply.shape, chosen);
  if (reply.kind !== "soap" || filled.kind !== "object") return entry("json", yamlOf(sampleOf(filled)));
  return entry(
    "soap",
    filled.members.map(({ member, value }) => `${memberXml(member, value, "sample")}\n`).join(""),
  );
}

/** JSON as data for YAML. */
export function yamlOf(value: unknown): Yaml {
  if (Array.isArray(value)) return value.map(yamlOf);
  if (typeof value !== "object" || value === null) return value as Scalar | null;
  return new Table(Object.entries(value).map(([key, inner]) => entry(key, yamlOf(inner))));
}

const RESERVED =
  /^(?:in|true|false|null|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while)$/;

function expressionOf(way: Way, xml: boolean): string {
  return way.reduce<string>((text, step) => {
    if (step === "[0]") return xml ? `list(${text})[0]` : `${text}[0]`;
    const name = step === "*" ? UNDECIDED : step.name;
    return isIdentifier(name) ? `${text}.${name}` : `${text}[${JSON.stringify(name)}]`;
  }, "body");
}

/** The same where every step may lead nowhere. */
function optionalExpression(way: Way, xml: boolean): string {
  return way.reduce<string>((text, step: Step) => {
    if (step === "[0]") return xml ? `list(${text})[?0]` : `${text}[?0]`;
    const name = step === "*" ? UNDECIDED : step.name;
    return isIdentifier(name) ? `${text}.?${name}` : `${text}[?${JSON.stringify(name)}]`;
  }, "body");
}

function isIdentifier(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !RESERVED.test(name);
}
