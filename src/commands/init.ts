/**
 * `pfxbridge init`: a commented configuration to start from, after a few questions on a terminal, or by options. What it writes
 * has passed what `check` asks of a configuration; a file that is there is never written over.
 */
import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface, type Interface } from "node:readline/promises";
import { parseConfig } from "../config/load.ts";
import { findMapping, shippedMappings } from "../mapping/find.ts";
import { loadMapping } from "../mapping/load.ts";
import type { ParameterDeclaration } from "../mapping/parameters.ts";
import { ProblemError, unusable } from "../source/problem.ts";
import { visible } from "../text/visible.ts";
import { type Command, readArguments, UsageError } from "./command.ts";
import { type Choices, configurationOf, mainCfOf, type Outage, type Role } from "./init-configuration.ts";

const ROLES = ["gate", "grant"] as const;
const OUTAGES = ["closed", "open", "postfix"] as const;
const OUTPUT = "pfxbridge.yaml";

export const init: Command = {
  help: [
    "Usage: pfxbridge init [--url URL] [OPTIONS] [-o FILE]",
    "",
    "Writes a commented configuration to start from, and says what goes into main.cf.",
    "On a terminal it asks what no option says; elsewhere --url is needed.",
    "",
    "      --url URL          the service to be asked",
    "      --service NAME     what it is called here; default corp",
    "      --mapping MAPPING  how it is asked: one that is shipped, or a file, as in",
    "                         ./mine.yaml; default authzen",
    "      --with NAME=VALUE  a parameter of the mapping; may be given more than once",
    "      --secret NAME=FILE a secret of the mapping, and the file that holds it",
    "      --as ROLE          gate: it may refuse mail that Postfix would take;",
    "                         grant: it says who may relay to anywhere; default gate",
    "      --outage ANSWER    what Postfix gets while the service is out. closed:",
    "                         mail waits; open: mail passes; postfix: what main.cf",
    "                         says; default closed",
    "      --remember TIME    how long a reply answers without a call, such as 1m",
    "      --stale TIME       how much longer it answers in an outage, such as 24h",
    "      --listen ENDPOINT  where Postfix asks; default inet:127.0.0.1:9998",
    "  -o, --output FILE      the configuration; default pfxbridge.yaml. A file that",
    "                         is there is not written over",
    "",
    "  pfxbridge init --url https://pdp.example.com --as grant --stale 24h",
    "",
    "Exit status: 0 it is written, 1 it is not.",
  ].join("\n"),
  async run(args) {
    const { values } = readArguments(args, {
      url: { type: "string" },
      service: { type: "string" },
      mapping: { type: "string" },
      with: { type: "string", multiple: true, default: [] },
      secret: { type: "string", multiple: true, default: [] },
      as: { type: "string" },
      outage: { type: "string" },
      remember: { type: "string" },
      stale: { type: "string" },
      listen: { type: "string" },
      output: { type: "string", short: "o" },
    });
    oneOf("--as", values.as ?? "gate", ROLES);
    oneOf("--outage", values.outage ?? "closed", OUTAGES);
    const file = values.output ?? OUTPUT;
    refuseExisting(file);
    const choices = await choose(values, file);
    const text = configurationOf(choices);
    const warnings = await judge(text, file);
    write(text, file);
    tell(choices, file, warnings);
    return 0;
  },
};

interface Options {
  readonly url?: string | undefined;
  readonly service?: string | undefined;
  readonly mapping?: string | undefined;
  readonly with: readonly string[];
  readonly secret: readonly string[];
  readonly as?: string | undefined;
  readonly outage?: string | undefined;
  readonly remember?: string | undefined;
  readonly stale?: string | undefined;
  readonly listen?: string | undefined;
}

/** What an option says, else what is answered on the terminal, else what is usual. */
async function choose(options: Options, file: string): Promise<Choices> {
  const terminal = process.stdin.isTTY && process.stdout.isTTY;
  if (options.url === undefined && !terminal) {
    throw new UsageError("--url is needed: the address of the service to be asked");
  }
  const asked = options.url === undefined ? new Questions() : undefined;
  try {
    const given = asked === undefined ? options : await asked.answer(options);
    const mapping = given.mapping ?? "authzen";
    const { parameters: declared, names = new Set<string>() } = await loadMapping({
      name: mapping,
      file: findMapping(mapping, file),
      parameters: {},
    });
    const parameters = readPairs("--with", options.with);
    for (const [name, parameter] of missing(declared, parameters)) {
      const value = await asked?.parameter(mapping, name, parameter);
      if (value === undefined) {
        throw new UsageError(
          `the mapping ${mapping} needs --with ${name}=VALUE, such as ${name}=${String(parameter.example)}`,
        );
      }
      parameters[name] = value;
    }
    const secrets = readPairs("--secret", options.secret);
    for (const name of secretsAmong(names)) {
      if (Object.hasOwn(secrets, name)) continue;
      const value = await asked?.secret(mapping, name);
      if (value === undefined) {
        throw new UsageError(`the mapping ${mapping} needs --secret ${name}=FILE, a file that holds it`);
      }
      secrets[name] = value;
    }
    return {
      name: given.service ?? "corp",
      url: given.url ?? "",
      mapping,
      parameters: asDeclared(parameters, declared),
      secrets,
      role: (given.as ?? "gate") as Role,
      hasPermit: Object.hasOwn(declared, "permit"),
      outage: (given.outage ?? "closed") as Outage,
      ...(given.remember !== undefined && { remember: given.remember }),
      ...(given.stale !== undefined && { stale: given.stale }),
      listen: given.listen ?? "inet:127.0.0.1:9998",
    };
  } finally {
    asked?.close();
  }
}

class Questions {
  readonly #terminal: Interface = createInterface({ input: process.stdin, output: process.stdout });

  constructor() {
    // Control-D, or Control-C: nothing is written.
    this.#terminal.on("SIGINT", () => process.exit(1));
    this.#terminal.on("close", () => {
      if (!this.#isOver) process.exit(1);
    });
  }

  #isOver = false;

  close(): void {
    this.#isOver = true;
    this.#terminal.close();
  }

  async answer(options: Options): Promise<Options> {
    const url = await this.#ask(
      "The address of the service to be asked, such as https://pdp.example.com",
      undefined,
      (text) => (URL.canParse(text) || text.startsWith("unix:/") ? undefined : "a URL, please"),
    );
    const mapping =
      options.mapping ??
      (await this.#ask(
        `How it is asked, by a mapping; a file of your own is written ./mine.yaml. Shipped are\n${listed(shippedMappings())}`,
        "authzen",
        mappingProblem,
      ));
    const as = options.as ?? (await this.#ask(ABOUT_ROLES, "gate", among(ROLES)));
    const outage = options.outage ?? (await this.#ask(ABOUT_OUTAGE, "closed", among(OUTAGES)));
    const stale =
      options.stale ??
      (await this.#ask(
        "How long what was decided before still holds in an outage, such as 24h; none: it does not",
        "none",
        (text) =>
          /^(?:none|\d+(?:ms|s|m|h))$/.test(text) ? undefined : "a time such as 30m or 24h, or none",
      ));
    const { stale: _, ...others } = options;
    return { ...others, url, mapping, as, outage, ...(stale !== "none" && { stale }) };
  }

  async parameter(mapping: string, name: string, { description = "", example }: ParameterDeclaration) {
    const about = description.replace(/\s+/g, " ").trim();
    return this.#ask(
      `${mapping} needs ${name}: ${about}`,
      example === undefined ? undefined : String(example),
    );
  }

  secret(mapping: string, name: string): Promise<string> {
    return this.#ask(`${mapping} needs the secret ${name}: the file that holds it`, undefined, (file) =>
      existsSync(file) ? undefined : "there is no such file; Control-C, make it, and begin again",
    );
  }

  /** Until the answer is one that can be used; Enter alone is what is usual. */
  async #ask(
    question: string,
    usual: string | undefined,
    problemOf: (text: string) => string | undefined = () => undefined,
  ): Promise<string> {
    for (;;) {
      const hint = usual === undefined ? "" : `[${usual}] `;
      const text = (await this.#terminal.question(`\n${question}\n${hint}> `)).trim() || (usual ?? "");
      const problem = text === "" ? "something is needed here" : problemOf(text);
      if (problem === undefined) return text;
      process.stdout.write(`  ${visible(problem)}\n`);
    }
  }
}

const ABOUT_ROLES = [
  "What it is to Postfix:",
  "  gate   it may refuse mail that Postfix would take",
  "  grant  it says who may relay to anywhere",
].join("\n");
const ABOUT_OUTAGE = [
  "What Postfix gets while the service is out:",
  "  closed   450: mail waits, and comes again",
  "  open     as a gate: mail passes unchecked; as a grant: relayed mail bounces",
  "  postfix  what smtpd_policy_service_default_action in main.cf says, 451 by default",
].join("\n");

/** Words in lines that fit a terminal. */
function listed(words: readonly string[]): string {
  return words
    .join(", ")
    .replace(/(.{1,70}(?:,|$)) ?/g, "  $1\n")
    .trimEnd();
}

function among(words: readonly string[]): (text: string) => string | undefined {
  return (text) => (words.includes(text) ? undefined : `one of ${words.join(", ")}, please`);
}

function mappingProblem(text: string): string | undefined {
  try {
    findMapping(text, OUTPUT);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function oneOf(option: string, value: string, words: readonly string[]): void {
  if (!words.includes(value)) throw new UsageError(`${option}: expected one of ${words.join(", ")}`);
}

/** `secret.NAME` of what a mapping's request names. */
function secretsAmong(names: ReadonlySet<string>): string[] {
  return [...names].filter((name) => name.startsWith("secret.")).map((name) => name.slice("secret.".length));
}

function readPairs(option: string, pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new UsageError(`${option}: expected NAME=VALUE, got ${JSON.stringify(pair)}`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function missing(
  declared: Readonly<Record<string, ParameterDeclaration>>,
  set: Readonly<Record<string, string>>,
): [string, ParameterDeclaration][] {
  return Object.entries(declared).filter(
    ([name, { default: fallback }]) => fallback === undefined && !Object.hasOwn(set, name),
  );
}

/** Of the kind that the mapping's default or example has: a number or a list is given as JSON. */
function asDeclared(
  set: Readonly<Record<string, string>>,
  declared: Readonly<Record<string, ParameterDeclaration>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(set).map(([name, text]) => {
      const kind = typeof (declared[name]?.default ?? declared[name]?.example ?? "");
      if (kind === "string") return [name, text];
      try {
        return [name, JSON.parse(text)];
      } catch {
        return [name, text];
      }
    }),
  );
}

/**
 * What `check` would say of it.
 *
 * @throws Error with what cannot be used
 */
async function judge(text: string, file: string): Promise<readonly string[]> {
  try {
    const { warnings } = await parseConfig(text, resolve(file));
    return warnings.map(({ message }) => message);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    // Lines and columns of a file that is not written help nobody.
    const said = error.problems.map(({ message }) => message).join("\n  ");
    throw new Error(`nothing is written, since this would be no configuration:\n  ${visible(said)}`);
  }
}

function refuseExisting(file: string): void {
  if (existsSync(file)) throw unusable(file, "it exists, and is not written over; name another with -o");
}

function write(text: string, file: string): void {
  try {
    // A secret may come in later.
    writeFileSync(file, text, { flag: "wx", mode: 0o640 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw unusable(
      file,
      code === "EEXIST" ? "it exists, and is not written over" : `it cannot be written: ${message}`,
    );
  }
}

function tell(choices: Choices, file: string, warnings: readonly string[]): void {
  const lines = [
    "",
    `${file} is written.`,
    ...warnings.map((warning) => `! ${warning}`),
    "",
    `main.cf, where the service is a ${choices.role}:`,
    "",
    ...mainCfOf(choices).map((line) => `    ${line}`),
    "",
    "Next:",
    `    pfxbridge check -c ${file}`,
    `    pfxbridge try -c ${file} sender=a@example.net recipient=b@example.org`,
    `    pfxbridge serve -c ${file}`,
    `    pfxbridge doctor -c ${file}    once main.cf has these lines`,
  ];
  for (const line of lines) console.log(visible(line));
}
