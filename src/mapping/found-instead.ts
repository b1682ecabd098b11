/**
 * What the rules looked for in a reply that gave no answer, and what was there instead: for the administrator, who sees
 * the log and not the reply. Of the reply it tells kinds (`a text`, `a list`) and whether a member is there, since values,
 * and names of members that no rule has, may be anybody's secrets.
 */
import type { Condition } from "../expression/expression.ts";
import { ANY, AS_LIST, type Look, looksOf, type Step, type Wanted } from "../expression/looks.ts";
import { oneLine } from "../text/one-line.ts";

/** Of what is told: places, wanted values of one, and characters of each. */
const MOST_PLACES = 2;
const MOST_WANTED = 4;
const LONGEST_NAME = 80;
const LONGEST_WANTED = 40;

/** A rule that was tried, by its number. */
export interface TriedRule {
  readonly number: number;
  readonly condition: Condition | null;
}

/** What the rules have read of the reply, by the variable's name; what is not here was never looked at. */
export type Seen = ReadonlyMap<string, unknown>;

/** The looks of a rule, made when a message first needs them. */
const known = new WeakMap<Condition, readonly Look[]>();

function looksAt(condition: Condition): readonly Look[] {
  let looks = known.get(condition);
  if (looks === undefined) {
    looks = looksOf(condition.text);
    known.set(condition, looks);
  }
  return looks;
}

interface Place {
  readonly steps: Look["steps"];
  readonly rules: Set<number>;
  readonly wanted: Map<string, Wanted>;
}

/**
 * Of a reply that no rule took: `: rules 3 and 4 look for false or true in body.decision, which is a text`.
 *
 * @returns empty where the rules look at nothing of it
 */
export function foundInstead(rules: readonly TriedRule[], seen: Seen): string {
  const places = [...placesOf(rules, seen).values()].sort(
    (one, other) =>
      Number(other.wanted.size > 0) - Number(one.wanted.size > 0) || other.rules.size - one.rules.size,
  );
  const told = places.slice(0, MOST_PLACES).map((place) => tell(place, rules, seen));
  return told.length === 0 ? "" : `: ${[...new Set(told)].join("; ")}`;
}

/**
 * Of a rule that could not be evaluated: `; body is a list`.
 *
 * @param said the message that it is added to, which need not be said twice
 */
export function foundBy(condition: Condition, seen: Seen, said: string): string {
  const told = looksAt(condition)
    .filter(({ steps: [root] }) => seen.has(root))
    .map(({ steps }) => found(steps, seen).text)
    .filter((text) => !said.includes(text));
  return [...new Set(told)]
    .slice(0, MOST_PLACES)
    .map((text) => `; ${text}`)
    .join("");
}

function placesOf(rules: readonly TriedRule[], seen: Seen): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  for (const { number, condition } of rules) {
    for (const { steps, wanted } of condition === null ? [] : looksAt(condition)) {
      if (!seen.has(steps[0])) continue;
      const name = nameOf(steps);
      const place = places.get(name) ?? { steps, rules: new Set(), wanted: new Map() };
      places.set(name, place);
      place.rules.add(number);
      for (const one of wanted) place.wanted.set(one.text, one);
    }
  }
  return places;
}

function tell(place: Place, rules: readonly TriedRule[], seen: Seen): string {
  const { steps, wanted } = place;
  const name = nameOf(steps);
  const there = found(steps, seen);
  const match = [...wanted.values()].find(({ value }) => value !== undefined && value === there.value);
  if (match !== undefined) {
    const finders = rules.filter(({ condition }) => wants(condition, name, match));
    const numbers = numbered(finders.map(({ number }) => number));
    return `${numbers} found ${oneLine(match.text, LONGEST_WANTED)} in ${name}, but not all else that is asked for`;
  }
  const texts = [...wanted.values()].slice(0, MOST_WANTED).map(({ text }) => oneLine(text, LONGEST_WANTED));
  if (wanted.size > MOST_WANTED) texts.push("others");
  const sought = texts.length === 0 ? `looked at ${name}` : `looked for ${choice(texts, "or")} in ${name}`;
  const same = [...wanted.values()].some(({ value }) => typeof value === typeof there.value);
  const kind = there.kind.replace(/^a (?=text|number)/, same ? "another " : "a ");
  const end =
    there.name === name
      ? kind === "missing"
        ? "which is missing"
        : `which is ${kind}`
      : `but ${there.text}`;
  return `${numbered([...place.rules])} ${sought}, ${end}`;
}

function wants(condition: Condition | null, name: string, { text }: Wanted): boolean {
  if (condition === null) return false;
  return looksAt(condition).some(
    ({ steps, wanted }) => nameOf(steps) === name && wanted.some((one) => one.text === text),
  );
}

interface Found {
  /** How far the way leads. */
  readonly name: string;
  readonly kind: string;
  /** The value, where the way leads to one that is no list or object. */
  readonly value: unknown;
  /** `body.data is missing` */
  readonly text: string;
}

/** What is at the end of the way, or where the way ends before. */
function found(steps: Look["steps"], seen: Seen): Found {
  const [root, ...ways] = steps;
  let value: unknown = seen.get(root);
  for (const [index, step] of ways.entries()) {
    const next = memberOf(value, step);
    if (next === undefined) {
      const holds = canHold(value, step);
      const name = nameOf([root, ...ways.slice(0, holds ? index + 1 : index)]);
      const kind = holds ? "missing" : kindOf(value);
      return { name, kind, value: undefined, text: `${name} is ${kind}` };
    }
    value = next;
  }
  const name = nameOf(steps);
  const kind = kindOf(value);
  return { name, kind, value: typeof value === "object" ? undefined : value, text: `${name} is ${kind}` };
}

/** Whether a value of this kind could have had the member. */
function canHold(value: unknown, step: Step): boolean {
  if (step === AS_LIST) return true;
  if (Array.isArray(value)) return typeof step !== "string" && value.length > 0;
  return typeof value === "object" && value !== null && (typeof step === "string" || step === ANY);
}

function memberOf(value: unknown, step: Step): unknown {
  if (step === AS_LIST) {
    if (Array.isArray(value)) return value;
    return value === undefined || value === null || value === "" ? [] : [value];
  }
  if (Array.isArray(value))
    return step === ANY ? value[0] : typeof step === "number" ? value[step] : undefined;
  if (value instanceof Map) return step === ANY ? [...value.values()][0] : value.get(step);
  if (typeof value !== "object" || value === null) return undefined;
  if (step === ANY) return Object.values(value)[0];
  return typeof step === "string" && Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined;
}

function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "string") return value === "" ? "an empty text" : "a text";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number" || typeof value === "bigint") return "a number";
  const size = value instanceof Map ? value.size : Object.keys(value as object).length;
  return size === 0 ? "an empty object" : "an object";
}

function nameOf([root, ...steps]: Look["steps"]): string {
  const way = steps.map((step) => {
    if (step === AS_LIST) return "";
    if (step === ANY) return "[…]";
    if (typeof step === "number") return `[${step}]`;
    return /^[A-Za-z_]\w*$/.test(step) ? `.${step}` : `["${step}"]`;
  });
  return oneLine(`${root}${way.join("")}`, LONGEST_NAME);
}

function numbered(numbers: readonly number[]): string {
  const texts = numbers.slice(0, MOST_WANTED).map(String);
  if (numbers.length > MOST_WANTED) texts.push("others");
  return `${numbers.length === 1 ? "rule" : "rules"} ${choice(texts, "and")}`;
}

/** `a`, `a or b`, `a, b or c` */
function choice(texts: readonly string[], word: string): string {
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} ${word} ${texts.at(-1)}`;
}
