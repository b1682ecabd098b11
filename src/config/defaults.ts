/**
 * `defaults`: keys that services share, written once. They are put into each service before anything is checked, so that
 * a service is the same whether its keys stand in it or not; what is wrong with one is wrong where it stands.
 */
import type { ProblemOptions, YamlDocument } from "../source/document.ts";
import type { Path } from "../source/position.ts";
import type { Problem } from "../source/problem.ts";

/** Of these tables a service's own keys go before those of `defaults`, one by one; any other key replaces the whole. */
const MERGED: ReadonlySet<string> = new Set([
  "retry",
  "breaker",
  "tls",
  "cache",
  "batch",
  "headers",
  "secrets",
]);

type Table = Readonly<Record<string, unknown>>;

/** The document as if each key of `defaults` stood in every service that has it not; one that is empty there is taken away. */
export function withDefaults(document: YamlDocument): YamlDocument {
  const { value } = document;
  if (!isTable(value) || !isTable(value.defaults) || !isTable(value.services)) return document;
  const { defaults } = value;
  const own = value.services;
  const services = Object.fromEntries(
    Object.entries(own).map(([name, service]) => [
      name,
      isTable(service) ? merged(defaults, service) : service,
    ]),
  );
  return {
    ...document,
    value: { ...value, services },
    problem: (path: Path, message: string, options?: ProblemOptions): Problem =>
      document.problem(writtenAt(path, own, defaults), message, options),
  };
}

function merged(defaults: Table, service: Table): Table {
  const whole: Record<string, unknown> = { ...defaults };
  for (const [key, value] of Object.entries(service)) {
    const shared = Object.hasOwn(defaults, key) ? defaults[key] : undefined;
    if (value === null && shared !== undefined) delete whole[key];
    else if (MERGED.has(key) && isTable(value) && isTable(shared)) whole[key] = { ...shared, ...value };
    else whole[key] = value;
  }
  return whole;
}

/** Where what a path leads to was written: in the service, or in `defaults`. */
function writtenAt(path: Path, services: Table, defaults: Table): Path {
  const [first, name, key, member] = path;
  if (first !== "services" || typeof name !== "string" || typeof key !== "string") return path;
  const service = services[name];
  if (!isTable(service) || !Object.hasOwn(defaults, key)) return path;
  if (!Object.hasOwn(service, key)) return ["defaults", ...path.slice(2)];
  const [own, shared] = [service[key], defaults[key]];
  const inDefaults =
    MERGED.has(key) &&
    typeof member === "string" &&
    isTable(own) &&
    isTable(shared) &&
    !Object.hasOwn(own, member) &&
    Object.hasOwn(shared, member);
  return inDefaults ? ["defaults", ...path.slice(2)] : path;
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
