/** A mapping's own parameters: what it declares, and what `with` under a service sets. */
import { suggestion } from "../text/nearest.ts";

export interface ParameterDeclaration {
  /** Without a default, `with` must set it. */
  readonly default?: unknown;
  /** In place of one: what the mapping's examples run with, and the mapping itself where no service uses it. */
  readonly example?: unknown;
  readonly description?: string | undefined;
}

export interface Parameters {
  /** By name; what was not set has its default. */
  readonly values: Readonly<Record<string, unknown>>;
  /** What is wrong with `with`, ready to be shown to people: the parameter, or null for one that is missing. */
  readonly problems: readonly { readonly name: string | null; readonly message: string }[];
}

/**
 * Puts together what was declared and what was set.
 *
 * @param alone the mapping is looked at without a service: what none could set is as in the mapping's examples
 */
export function resolveParameters(
  declared: Readonly<Record<string, ParameterDeclaration>>,
  set: Readonly<Record<string, unknown>>,
  alone = false,
): Parameters {
  const values: Record<string, unknown> = {};
  const problems: { name: string | null; message: string }[] = [];
  const names = Object.keys(declared);
  for (const name of Object.keys(set)) {
    if (Object.hasOwn(declared, name)) continue;
    const known = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
    problems.push({
      name,
      message: `the mapping has no parameter "${name}"${suggestion(name, names)} (${known})`,
    });
  }
  for (const [name, { default: fallback, example }] of Object.entries(declared)) {
    const value = Object.hasOwn(set, name) ? set[name] : fallback === undefined && alone ? example : fallback;
    if (value === undefined) {
      problems.push({
        name: null,
        message: `the mapping's parameter "${name}" must be set: with: { ${name}: … }`,
      });
    } else if (namesSecret(value)) {
      const message = `the parameter "${name}" would be sent as it is written here; put the secret under secrets of the service, secrets: { ${name}: … }, and write \${secret.${name}} in the mapping`;
      problems.push({ name, message });
    } else if (fallback !== undefined && kindOf(value) !== kindOf(fallback)) {
      const message = `the parameter "${name}" must be a ${kindOf(fallback)}, as its default is`;
      problems.push({ name, message });
    } else if (fallback === undefined && example !== undefined && kindOf(value) !== kindOf(example)) {
      const message = `the parameter "${name}" must be a ${kindOf(example)}, such as ${JSON.stringify(example)}`;
      problems.push({ name, message });
    } else {
      values[name] = value;
    }
  }
  return { values, problems };
}

/** What is wrong with a mapping's presets: each sets parameters that there are, to values of their kind. */
export function presetProblems(
  presets: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  declared: Readonly<Record<string, ParameterDeclaration>>,
): readonly { readonly preset: string; readonly name: string; readonly message: string }[] {
  return Object.entries(presets).flatMap(([preset, set]) =>
    resolveParameters(declared, set, true).problems.flatMap(({ name, message }) =>
      name === null ? [] : [{ preset, name, message }],
    ),
  );
}

/** Why there is no such preset, for people. */
export function unknownPreset(name: string, presets: readonly string[]): string {
  const known = presets.length === 0 ? "it has none" : `it has ${presets.join(", ")}`;
  return `the mapping has no preset "${name}"${suggestion(name, presets)} (${known})`;
}

/**
 * The values that examples run with: the mapping's own defaults, whatever a service sets, since examples say
 * what comes out with those; what has no default takes its `example`, or else the value that was set.
 */
export function exampleParameters(
  declared: Readonly<Record<string, ParameterDeclaration>>,
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(declared).map(([name, { default: fallback, example }]) => [
      name,
      fallback ?? example ?? values[name],
    ]),
  );
}

/** `{ env: NAME }` and the like, which stand for a secret elsewhere. */
function namesSecret(value: unknown): boolean {
  if (kindOf(value) !== "table") return false;
  const [first, ...others] = Object.entries(value as object);
  return (
    others.length === 0 &&
    first !== undefined &&
    ["env", "file", "credential"].includes(first[0]) &&
    typeof first[1] === "string"
  );
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "list";
  return value === null ? "null" : typeof value === "object" ? "table" : typeof value;
}
