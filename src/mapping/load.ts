/**
 * A mapping file, loaded: read, checked, compiled. What is wrong with it is told all at once, with file, line and column.
 *
 * A module is only looked at here; its code runs when `instantiate` is called, after the process gave up root's rights.
 */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { needsAllRecipients, recipientsProblem } from "../expression/all-recipients.ts";
import { createScope } from "../expression/scope.ts";
import { requestVariables } from "../expression/variables.ts";
import { runsAsRoot } from "../files/hands.ts";
import { VERBS } from "../model/action.ts";
import type { UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import type { PolicyRequest } from "../model/request.ts";
import { readYaml, type YamlDocument } from "../source/document.ts";
import type { Path } from "../source/position.ts";
import { type Problem, ProblemError, unusable } from "../source/problem.ts";
import { checkShape } from "../source/shape.ts";
import { fileProblem, readTrusted } from "../source/trusted.ts";
import { suggestion } from "../text/nearest.ts";
import { choicesIn } from "./choices.ts";
import { type Example, type ExampleResult, exampleCall, runExamples } from "./examples.ts";
import { isShipped } from "./find.ts";
import { grants } from "./grants.ts";
import { importProblem } from "./imports.ts";
import type { Mapping } from "./mapping.ts";
import { loadModuleMapping } from "./module.ts";
import {
  exampleParameters,
  type ParameterDeclaration,
  presetProblems,
  resolveParameters,
  unknownPreset,
} from "./parameters.ts";
import { probeMapping } from "./probes.ts";
import type { Seal } from "./render/addressing.ts";
import type { ReplyOptions } from "./reply.ts";
import { type CompiledRequest, compileRequest } from "./request.ts";
import { applyRules, compileRules, judgeByReplyAlone, namesInRules, type Rule } from "./rules.ts";
import { type MappingDefinition, mappingSchema } from "./schema.ts";
import { warnOfExamples, warnOfRules } from "./warnings.ts";

export interface LoadOptions {
  /** As the configuration names it. */
  readonly name: string;
  readonly file: string;
  /** Which of the mapping's presets `with` comes after. */
  readonly preset?: string | undefined;
  /** What `with` sets. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** The largest XML reply that is parsed, in bytes; parsing blocks the process. Default: 64 KiB. */
  readonly maxXmlSize?: number;
  /** The same for JSON. Default: 256 KiB. */
  readonly maxJsonSize?: number;
  /** What the service's `secrets` names; absent: the mapping is looked at alone, and any name may be one. */
  readonly secrets?: Secrets;
  /** Whose, besides root's, files may be that root uses: the user that the bridge will be. */
  readonly owner?: number;
  /**
   * A mistake in `with` belongs to the configuration: the parameter's name, or null where one is missing. Default: a
   * problem of the mapping's file.
   */
  readonly parameterProblem?: (name: string | null, message: string) => Problem;
  /** The same for a preset that there is none of. */
  readonly presetProblem?: (message: string) => Problem;
}

interface Secrets {
  readonly names: readonly string[];
  /** Of those that could be had; changes when they do. */
  readonly values: ReadonlyMap<string, string>;
}

export interface LoadedMapping {
  readonly name: string;
  readonly file: string;
  /** What it is for, and the products and versions that it was made for; empty where it does not say. */
  readonly description: string;
  readonly product: string;
  readonly parameters: Readonly<Record<string, ParameterDeclaration>>;
  /** Values of parameters that go together, by the name that a service says. */
  readonly presets: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** JavaScript, whose code runs when it is instantiated. */
  readonly isModule: boolean;
  /** The path of its calls, as written; undefined for a module. */
  readonly path?: string | undefined;
  /** Of the headers that its calls set, in lower case; empty for a module, which is not known to anybody yet. */
  readonly headerNames: readonly string[];
  /** Of the query parameters that its calls set, as far as that can be told. */
  readonly queryNames: ReadonlySet<string>;
  /** The variables that its calls read; undefined for a module, of which nobody knows. */
  readonly names?: ReadonlySet<string>;
  /** Whether a permit is OK, as far as its text tells: of a module nobody knows. */
  readonly grants: boolean;
  /** Where it makes SOAP calls: what each attempt puts into their envelope. */
  readonly seal?: Seal | undefined;
  /** Changes with its content and its parameters. */
  readonly version: string;
  readonly warnings: readonly Problem[];
  readonly examples: readonly Example[];
  /**
   * Ready for use. For a module this runs its code.
   *
   * @throws ProblemError for a module that cannot be imported
   */
  instantiate(): Promise<Mapping>;
  /** Runs `examples`, with the mapping's own parameters: those that `with` sets would change what comes out. */
  check(): Promise<readonly ExampleResult[]>;
  /** The call of its first example; null where it has none. */
  sample(): Promise<UpstreamRequest | Failure | null>;
  /** Warnings of policy requests for which no call can be made. */
  probe(): Promise<readonly Problem[]>;
}

/** Larger files are no mappings. */
const MAX_FILE_SIZE = 256 * 1024;

/**
 * @throws ProblemError with everything that is wrong
 * @example
 * const loaded = await loadMapping({ name: "authzen", file: findMapping("authzen", "pfxbridge.yaml"), parameters: {} });
 * const mapping = await loaded.instantiate();
 */
export async function loadMapping(options: LoadOptions): Promise<LoadedMapping> {
  const { name, file, owner } = options;
  const root = runsAsRoot() && !isShipped(file);
  const reply: ReplyOptions = { xmlLimit: options.maxXmlSize, jsonLimit: options.maxJsonSize };
  if (/\.m?js$/.test(file)) {
    const problem = fileProblem(file, root, owner) ?? (root ? importProblem(file, owner) : undefined);
    if (problem !== undefined) throw unusable(file, problem);
    presetOf({ presets: {} }, options);
    const { parameters } = options;
    const secrets = options.secrets?.values ?? NO_SECRETS;
    const instantiate = () => loadModuleMapping({ name, file, parameters, secrets, reply });
    const version = versionOf(String(statSync(file).mtimeMs), parameters);
    const none = {
      description: "",
      product: "",
      parameters: {},
      presets: {},
      headerNames: [],
      queryNames: new Set<string>(),
      warnings: [],
      examples: [],
    };
    return {
      name,
      file,
      isModule: true,
      grants: false,
      version,
      ...none,
      instantiate,
      check: async () => [],
      sample: async () => null,
      probe: async () => [],
    };
  }
  const source = readTrusted(file, MAX_FILE_SIZE, root, owner);
  if ("problem" in source) throw unusable(file, source.problem);
  const document = readYaml(file, source.text);
  const definition = checkShape(document, mappingSchema);
  const compiled = compileMapping(definition, document, options.secrets?.names ?? null);
  const { values, problems } = resolveParameters(
    definition.parameters,
    { ...presetOf(definition, options), ...options.parameters },
    options.secrets === undefined,
  );
  if (problems.length > 0) {
    const place =
      options.parameterProblem ??
      ((_: string | null, message: string): Problem => ({ file, message, severity: "error" }));
    throw new ProblemError(problems.map((problem) => place(problem.name, problem.message)));
  }
  const examples = exampleSecrets(compiled.request.names);
  const bind = (parameters: Readonly<Record<string, unknown>>, secrets: ReadonlyMap<string, string>) =>
    bindMapping(name, file, compiled, new Map(Object.entries(parameters)), secrets, reply);
  const mapping = bind(values, options.secrets?.values ?? examples);
  const ofExamples = () => bind(exampleParameters(definition.parameters, values), examples);
  return {
    name,
    file,
    description: definition.description ?? "",
    product: definition.product ?? "",
    parameters: definition.parameters,
    presets: definition.presets,
    isModule: false,
    grants: grants(definition.response, values),
    path: definition.request.path,
    headerNames: mapping.headerNames,
    queryNames: compiled.request.queryNames,
    names: compiled.request.names,
    seal: compiled.request.seal,
    version: versionOf(source.text, values),
    warnings: [...compiled.warnings, ...unchosen(file, source.text)],
    examples: compiled.examples,
    instantiate: async () => mapping,
    check: () => runExamples(ofExamples(), compiled.examples, definition.request.soap?.version),
    sample: async () => {
      const [first] = compiled.examples;
      return first === undefined ? null : exampleCall(ofExamples(), first);
    },
    probe: async () =>
      (await probeMapping(mapping)).map((message) =>
        document.problem(["request"], message, { severity: "warning", key: true }),
      ),
  };
}

/** @throws ProblemError where there is no such preset */
function presetOf(
  { presets }: Pick<MappingDefinition, "presets">,
  { preset, file, presetProblem }: LoadOptions,
): Readonly<Record<string, unknown>> {
  if (preset === undefined) return {};
  if (Object.hasOwn(presets, preset)) return presets[preset]!;
  const message = unknownPreset(preset, Object.keys(presets));
  throw new ProblemError([presetProblem?.(message) ?? { file, message, severity: "error" }]);
}

/** What `pfxbridge import` left open, and nobody has chosen since: the examples pass all the same, and permit nobody. */
function unchosen(file: string, text: string): Problem[] {
  return choicesIn(text).map(({ line, what }) => {
    const message = `still to choose: ${what}; then take this line out`;
    return { file, line, message, severity: "warning" };
  });
}

const NO_SECRETS: ReadonlyMap<string, string> = new Map();
const SECRET = "secret.";

/** In examples a secret's value is what stands for it in the mapping: `secret.NAME`. */
function exampleSecrets(names: ReadonlySet<string>): ReadonlyMap<string, string> {
  const secrets = [...names].filter((name) => name.startsWith(SECRET));
  return new Map(secrets.map((name) => [name.slice(SECRET.length), name]));
}

function versionOf(content: string, parameters: Readonly<Record<string, unknown>>): string {
  return createHash("sha256")
    .update(JSON.stringify([content, parameters]))
    .digest("base64url");
}

interface CompiledMapping {
  readonly request: CompiledRequest;
  readonly rules: readonly Rule[];
  readonly soap: boolean;
  readonly warnings: readonly Problem[];
  readonly examples: readonly Example[];
}

function compileMapping(
  definition: MappingDefinition,
  document: YamlDocument,
  secretNames: readonly string[] | null,
): CompiledMapping {
  const problems: Problem[] = presetProblems(definition.presets, definition.parameters).map(
    ({ preset, name, message }) => document.problem(["presets", preset, name], message, { key: true }),
  );
  const report = (path: Path, message: string, offset?: number) => {
    problems.push(document.problem(path, message, offset === undefined ? {} : { offset }));
  };
  const parameters = Object.keys(definition.parameters);
  const request = compileRequest(definition.request, {
    scope: createScope("request", parameters, secretNames),
    report,
  });
  for (const [index, verb] of definition.allow.entries()) {
    if (!VERBS.has(verb)) {
      report(
        ["allow", index],
        `"${verb}" is no action's verb${suggestion(verb, VERBS)} (known: ${[...VERBS].join(", ")})`,
      );
    }
  }
  const rules = compileRules(definition.response, {
    scope: createScope("response", parameters),
    allow: new Set(definition.allow),
    report: (path, message, offset) => report(["response", ...path], message, offset),
  });
  if (problems.length > 0) throw new ProblemError(problems);
  return {
    request,
    rules,
    soap: definition.request.soap !== undefined,
    warnings: [
      ...[...warnOfRules(definition.response, rules)].map(([index, message]) =>
        document.problem(["response", index], message, { severity: "warning" }),
      ),
      ...[...warnOfExamples(definition.examples)].map(([path, message]) =>
        document.problem(["examples", ...path], message, { severity: "warning", key: true }),
      ),
    ],
    examples: definition.examples.map((example, index) => ({
      definition: example,
      line: document.problem(["examples", index], "").line ?? 1,
    })),
  };
}

function bindMapping(
  name: string,
  file: string,
  { request, rules, soap }: CompiledMapping,
  parameters: ReadonlyMap<string, unknown>,
  secrets: ReadonlyMap<string, string>,
  options: ReplyOptions,
): Mapping {
  const render = (asked: PolicyRequest) => request.render(requestVariables(asked, parameters, secrets));
  return {
    name,
    file,
    headerNames: request.headerNames,
    names: request.names,
    soap,
    judgesByReplyAlone: judgeByReplyAlone(rules),
    render: needsAllRecipients(new Set([...request.names, ...namesInRules(rules)]))
      ? (asked) => {
          const problem = recipientsProblem(requestVariables(asked, parameters));
          return problem === null ? render(asked) : { cause: "mapping_error", detail: problem };
        }
      : render,
    interpret: (reply, asked) => applyRules(rules, reply, asked, parameters, options),
  };
}
