/**
 * Which member of a reply is the decision, and which the reason, most likely: by names, types and the values that they may
 * have. And what a value means, by its word. Guesses only: the administrator chooses.
 */
import type { DescribedReply } from "./operation.ts";
import type { OpenShape, Shape, ValueShape, Way } from "./shape.ts";
import { words } from "./words.ts";

export interface GuessedDecision {
  readonly way: Way;
  readonly shape: ValueShape | OpenShape;
  readonly score: number;
  /** Where a text for the sender is, most likely. */
  readonly reason: Way | undefined;
}

interface Leaf {
  readonly way: Way;
  readonly shape: ValueShape | OpenShape;
}

/** Deeper in a reply nothing is looked at. */
const DEEPEST = 10;
const MOST_LEAVES = 500;

const DECISIONS: Readonly<Record<string, number>> = {
  decision: 6,
  allowed: 6,
  allow: 6,
  permitted: 6,
  permit: 6,
  authorized: 6,
  authorised: 6,
  granted: 5,
  grant: 4,
  permissionship: 6,
  verdict: 5,
  outcome: 4,
  effect: 4,
  access: 3,
  result: 3,
  return: 3,
  status: 2,
  answer: 3,
  action: 2,
  actions: 2,
  code: 1,
  success: 1,
  check: 1,
};

const REASONS: Readonly<Record<string, number>> = {
  reason: 5,
  message: 4,
  explanation: 4,
  description: 3,
  text: 2,
  detail: 3,
  details: 2,
  error: 1,
};

export type Meaning = "permit" | "deny" | "trouble" | "unknown";

const PERMITS =
  /^(?:permit|permitted|allow|allowed|grant|granted|accept|accepted|yes|true|ok|pass|authori[sz]ed|has)$/;
const DENIES =
  /^(?:deny|denied|reject|rejected|refuse|refused|forbid|forbidden|no|not|false|block|blocked|unauthori[sz]ed|drop)$/;
const TROUBLE =
  /^(?:error|indeterminate|unknown|unspecified|unavailable|fail|failed|failure|applicable|conditional|invalid)$/;

/** What a value says, by its word. */
export function meaningOf(value: unknown): Meaning {
  const said = words(String(value));
  if (said.some((word) => TROUBLE.test(word))) return "trouble";
  if (said.some((word) => DENIES.test(word))) return "deny";
  return said.some((word) => PERMITS.test(word)) ? "permit" : "unknown";
}

/** The likeliest member; undefined where nothing is likely. */
export function likelyDecision({ shape, kind }: DescribedReply): GuessedDecision | undefined {
  const leaves = leavesOf(shape);
  const only = leaves.length === 1 ? 1 : 0;
  const [best] = ranked(leaves, (leaf) => decisionScore(leaf) + only);
  if (best === undefined || kind === "text") return undefined;
  const [reason] = ranked(
    leaves.filter(
      ({ way, shape }) => way !== best.leaf.way && shape.kind === "value" && shape.type === "text",
    ),
    ({ way }) => nameScore(way, REASONS),
  );
  return { ...best.leaf, score: best.score, reason: reason?.leaf.way };
}

function ranked(leaves: readonly Leaf[], scoreOf: (leaf: Leaf) => number) {
  return leaves
    .map((leaf) => ({ leaf, score: scoreOf(leaf) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.leaf.way.length - b.leaf.way.length);
}

function decisionScore({ way, shape }: Leaf): number {
  const name = nameScore(way, DECISIONS);
  if (shape.kind === "open") return name - 1;
  if (shape.values.length > 1) {
    const meanings = new Set(shape.values.map(meaningOf));
    return name + (meanings.has("permit") && meanings.has("deny") ? 5 : 0);
  }
  if (shape.type === "boolean") return name + 3;
  return shape.type === "text" ? name : name - 1;
}

/** The last name counts; those on the way a little. */
function nameScore(way: Way, known: Readonly<Record<string, number>>): number {
  const names = way.flatMap((step) => (step === "[0]" || step === "*" ? [] : [step.name]));
  // A `decision_id` is none.
  const score = (name: string) =>
    /^(?:id|time|at|by|type)$/.test(words(name).at(-1) ?? "")
      ? 0
      : Math.max(0, ...words(name).map((word) => known[word] ?? 0));
  const last = score(names.at(-1) ?? "");
  const before = Math.max(0, ...names.slice(0, -1).map(score));
  return last === 0 ? (way.at(-1) === "*" ? before : Math.min(before, 1)) : last + Math.min(before, 1);
}

function leavesOf(shape: Shape): readonly Leaf[] {
  const leaves: Leaf[] = [];
  const walk = (at: Shape, way: Way) => {
    if (way.length > DEEPEST || leaves.length >= MOST_LEAVES) return;
    if (at.kind === "value" || at.kind === "open") leaves.push({ way, shape: at });
    else if (at.kind === "list") walk(at.item, [...way, "[0]"]);
    else if (at.kind === "map") walk(at.value, [...way, "*"]);
    else {
      for (const { name, shape, xml } of at.members) {
        walk(shape, [...way, { name: xml?.attribute ? `@${name}` : name }]);
      }
      if (at.text !== undefined) walk(at.text, at.members.length > 0 ? [...way, { name: "#text" }] : way);
    }
  };
  walk(shape, []);
  return leaves;
}
