/** `pfxbridge mappings`: the mappings that come with pfxbridge, and what each of them asks, takes and needs. */
import { findMapping, shippedMappings } from "../mapping/find.ts";
import { GUIDE, recipeFor } from "../mapping/guide.ts";
import { type LoadedMapping, loadMapping } from "../mapping/load.ts";
import { isFailure } from "../model/failure.ts";
import { ProblemError } from "../source/problem.ts";
import { visible } from "../text/visible.ts";
import { type Command, readArguments, UsageError } from "./command.ts";

export const mappings: Command = {
  help: [
    "Usage: pfxbridge mappings",
    "       pfxbridge mappings MAPPING",
    "",
    "Lists the mappings that come with pfxbridge, each with the product that it was",
    "made for. With the name of one, or the file of another: its parameters with",
    "their defaults, what it asks and what it takes for an answer, and the recipe for",
    "the service's side.",
    "",
    "Exit status: 0 fine, 1 a mapping cannot be used.",
  ].join("\n"),
  async run(args) {
    const [name, ...others] = readArguments(args, {}, true).positionals;
    if (others.length > 0) throw new UsageError("one mapping at a time");
    return name === undefined ? list() : show(name);
  },
};

function load(name: string): Promise<LoadedMapping> {
  return loadMapping({ name, file: findMapping(name, "pfxbridge.yaml"), parameters: {} });
}

async function list(): Promise<number> {
  const names = shippedMappings();
  const width = Math.max(...names.map((name) => name.length)) + 2;
  let status = 0;
  for (const name of names) {
    let about: string;
    try {
      about = headOf(await load(name));
    } catch (error) {
      // The others are of use all the same.
      if (!(error instanceof ProblemError)) throw error;
      about = `cannot be used: ${error.problems[0]?.message}`;
      status = 1;
    }
    say(`${name.padEnd(width)}${about}`);
  }
  return status;
}

async function show(name: string): Promise<number> {
  const mapping = await load(name);
  say(`${name}: ${headOf(mapping)}`);
  say(mapping.file);
  if (mapping.isModule) {
    say("\nA module: what it asks and takes is in its code.");
    return 0;
  }
  section("In pfxbridge.yaml", useOf(mapping));
  section("Parameters", parametersOf(mapping));
  section("Presets, as in { use: …, preset: NAME }; what `with` sets goes before", presetsOf(mapping));
  await showSample(mapping);
  const recipe = shippedMappings().includes(name) ? recipeFor(name) : null;
  section(`Recipe (${GUIDE})`, recipe === null ? [] : recipe.split("\n"), "");
  if (recipe === null) say(`\nThe language of mappings: ${GUIDE}`);
  return 0;
}

/** Description and product, on one line. */
function headOf({ description, product }: LoadedMapping): string {
  const text = description.trim() || "(without a description)";
  return (product === "" ? text : `${text} [${product}]`).replace(/\s+/g, " ");
}

function useOf({ name, parameters }: LoadedMapping): string[] {
  const required = Object.keys(parameters).filter((each) => parameters[each]?.default === undefined);
  const set = required.map((each) => `${each}: ${shown(parameters[each]?.example)}`).join(", ");
  return [
    "services:",
    "  mine:",
    "    url: https://authz.example.com",
    `    mapping: ${required.length === 0 ? name : `{ use: ${name}, with: { ${set} } }`}`,
  ];
}

function parametersOf({ parameters }: LoadedMapping): string[] {
  return Object.entries(parameters).flatMap(([name, { default: fallback, example, description = "" }]) => {
    const value =
      fallback === undefined ? `must be set, such as ${shown(example)}` : `default ${shown(fallback)}`;
    return [`${name}, ${value}`, ...folded(description).map((line) => `    ${line}`)];
  });
}

function presetsOf({ presets }: LoadedMapping): string[] {
  return Object.entries(presets).flatMap(([name, values]) => {
    const set = Object.entries(values).map(([parameter, value]) => `${parameter}: ${shown(value)}`);
    return [name, ...folded(set.join(", ")).map((line) => `    ${line}`)];
  });
}

/** A value as it can stand in YAML. */
function shown(value: unknown): string {
  return JSON.stringify(value) ?? "…";
}

/** Of a terminal, less what stands before it. */
const WIDTH = 76;

function folded(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((each) => each !== "")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** The first example as it goes out and comes back, and what becomes of the others. */
async function showSample(mapping: LoadedMapping): Promise<void> {
  const call = await mapping.sample();
  const [first, ...others] = mapping.examples.map(({ definition }) => definition);
  if (call === null || first === undefined) return;
  const request = Object.entries(first.request).map(([name, value]) => `${name}=${value}`);
  section(`Example: ${first.name}`, request);
  section(
    "It asks",
    isFailure(call)
      ? [`${call.cause}: ${call.detail}`]
      : [
          `${call.method} URL${call.path}`,
          ...Object.entries(call.headers).map(([name, value]) => `${name}: ${value}`),
          ...(call.body === null ? [] : ["", ...bodyLines(call.body)]),
        ],
  );
  const { reply } = first;
  if (reply !== undefined) {
    const json = reply.json === undefined ? undefined : JSON.stringify(reply.json, null, 2);
    const content = json ?? reply.xml ?? reply.soap ?? reply.text ?? "";
    section("The service replies", [
      `status ${reply.status}`,
      ...(content === "" ? [] : ["", ...bodyLines(content)]),
    ]);
  }
  section("Postfix gets", [outcomeOf(first)]);
  section(
    "Other examples",
    others.map((example) => `${example.name}: ${outcomeOf(example)}`),
  );
}

function outcomeOf(example: LoadedMapping["examples"][number]["definition"]): string {
  return example.action ?? (example.failure === undefined ? "the call" : `failure ${example.failure}`);
}

function bodyLines(body: string): string[] {
  return pretty(body).trimEnd().split("\n");
}

/** JSON as people read it; what is none stays as it is. */
function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

function section(title: string, lines: readonly string[], indent = "  "): void {
  if (lines.length === 0) return;
  say(`\n${title}\n`);
  for (const line of lines) say(`${indent}${line}`.trimEnd());
}

/** A tab, as recipes have them, would show as an escape, and what is copied from the terminal be of no use. */
function say(text: string): void {
  console.log(text.replaceAll("\t", "    ").split("\n").map(visible).join("\n"));
}
