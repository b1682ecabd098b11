/**
 * CEL as pfxbridge speaks it: the library with our variables and functions, one environment for each kind of scope.
 * Only this room sees the library.
 */
import { Environment, type Optional } from "@marcbachmann/cel-js";
import { identifierOf } from "../text/identifier.ts";
import { percentEncode } from "../text/percent.ts";
import { domainOf, localPartOf } from "./address.ts";
import { registerMacros } from "./macros.ts";
import { lowerAscii, registerReplaced } from "./replaced.ts";
import { type ScopeKind, variableTypes } from "./scope.ts";
import { spendOn, WRITTEN_PER_STEP } from "./steps.ts";
import { toJson, toText } from "./text.ts";

/** Without it, cel-js takes a function for one that may be asynchronous. */
const SYNC = { async: false };

/** Functions that write a value in fewer characters than it may have. */
const ENCODINGS: ReadonlyMap<string, (text: string) => string> = new Map([
  ["urlencode", percentEncode],
  ["identifier", identifierOf],
  ["base64", (text: string) => Buffer.from(text).toString("base64")],
]);

function createEnvironment(kind: ScopeKind): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    // JSON's lists and objects are mixed: `{"name": sender, "size": size}`.
    homogeneousAggregateLiterals: false,
  });
  for (const [name, type] of variableTypes(kind)) environment.registerVariable(name, type);
  environment
    .registerFunction("domain(string): string", domainOf, SYNC)
    .registerFunction("localpart(string): string", localPartOf, SYNC)
    .registerFunction("lower(string): string", lowerAscii, SYNC)
    .registerFunction("json(dyn): string", (value: unknown) => worked(toJson(value)), SYNC);
  for (const [name, encode] of ENCODINGS) {
    environment.registerFunction(
      `${name}(dyn): string`,
      (value: unknown) => encode(worked(toText(value))),
      SYNC,
    );
  }
  // `body.?error != null` is what people write; CEL's own is `body.?error.hasValue()`, which a null passes.
  environment.registerOperator(
    "optional<dyn> == null",
    (value: Optional) => (value.orValue(null) ?? null) === null,
  );
  registerMacros(environment);
  registerReplaced(environment);
  return environment;
}

function worked(text: string): string {
  spendOn(text, WRITTEN_PER_STEP);
  return text;
}

const environments = new Map<ScopeKind, Environment>();

export function environmentOf(kind: ScopeKind): Environment {
  let environment = environments.get(kind);
  if (environment === undefined) {
    environment = createEnvironment(kind);
    environments.set(kind, environment);
  }
  return environment;
}
