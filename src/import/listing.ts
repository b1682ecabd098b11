/** The operations of a description: listed for people, one of them found by its name. */
import { ProblemError, unusable } from "../source/problem.ts";
import { excerpt } from "../text/excerpt.ts";
import { suggestion } from "../text/nearest.ts";
import type { Documents } from "./documents.ts";
import { likelyOperation } from "./guess-operation.ts";
import { type PathOperation, readOpenApi } from "./openapi/operations.ts";
import type { Operation } from "./operation.ts";
import { type PortOperation, readWsdl } from "./wsdl/operations.ts";

export interface Listed {
  readonly kind: "wsdl" | "openapi";
  /** Why a document was not read. */
  unread(): readonly string[];
  overview(): Promise<{
    readonly operations: readonly { readonly id: string; readonly what: string }[];
    /** The one that most likely asks for a decision. */
    readonly likely: string | undefined;
  }>;
  /** @throws ProblemError that lists those that there are */
  read(name: string): Promise<Operation>;
}

export async function wsdlOperations(source: string, documents: Documents): Promise<Listed> {
  const { operations, unread } = await readWsdl(source, documents);
  const ids = new Map(operations.map((operation) => [operation, wsdlId(operation, operations)]));
  return {
    kind: "wsdl",
    unread: () => unread,
    overview: () =>
      overview(operations, {
        id: (operation) => ids.get(operation) ?? operation.name,
        what: ({ service, port, version, style }) => `SOAP ${version}, ${style} (${service}, ${port})`,
        read: async (operation) => operation.read(),
      }),
    read: async (name) => {
      const found = operations.filter((operation) => namesOf(operation).includes(name));
      const [first] = found;
      if (first === undefined) throw noSuch(source, name, [...ids.values()]);
      // The same operation over SOAP 1.1 and 1.2 is one; of two services it is two.
      if (new Set(found.map(({ service }) => service)).size > 1) {
        throw unusable(
          source,
          `several services have an operation "${excerpt(name)}"; say which: ${found.map(longName).join(", ")}`,
        );
      }
      return (found.find(({ version }) => version === "1.1") ?? first).read();
    },
  };
}

/** Operations of the same name are told apart by their input's. */
function namesOf(operation: PortOperation): string[] {
  const names = [operation.name, `${operation.port}.${operation.name}`, longName(operation)];
  return operation.input === "" ? names : [...names, ...names.map((name) => `${name}:${operation.input}`)];
}

function longName({ service, port, name }: PortOperation): string {
  return `${service}.${port}.${name}`;
}

/** The shortest name that means this one alone. */
function wsdlId(operation: PortOperation, all: readonly PortOperation[]): string {
  const alone = namesOf(operation).find(
    (name) => all.filter((other) => namesOf(other).includes(name)).length === 1,
  );
  return alone ?? longName(operation);
}

export async function openApiOperations(source: string, documents: Documents): Promise<Listed> {
  const operations = await readOpenApi(source, documents);
  return {
    kind: "openapi",
    unread: () => [],
    overview: () =>
      overview(operations, {
        id: ({ id }) => id,
        what: ({ method, path, summary }) => `${method} ${path}${summary === "" ? "" : `: ${summary}`}`,
        read: (operation) => operation.read(),
      }),
    read: (name) => {
      const found = operations.find(({ id, method, path }) => id === name || `${method} ${path}` === name);
      if (found === undefined)
        throw noSuch(
          source,
          name,
          operations.map(({ id }) => id),
        );
      return found.read();
    },
  };
}

/** More are not looked into for the guess. */
const MOST_LOOKED_AT = 300;

async function overview<T extends PortOperation | PathOperation>(
  all: readonly T[],
  of: {
    readonly id: (operation: T) => string;
    readonly what: (operation: T) => string;
    readonly read: (operation: T) => Promise<Operation>;
  },
) {
  const ids = new Map<Operation, string>();
  for (const operation of all.slice(0, MOST_LOOKED_AT)) {
    const read = await readable(() => of.read(operation));
    if (read !== undefined) ids.set(read, of.id(operation));
  }
  const likely = likelyOperation([...ids.keys()]);
  return {
    operations: all.map((operation) => ({ id: of.id(operation), what: of.what(operation) })),
    likely: likely && ids.get(likely),
  };
}

/** One that cannot be read is in the list all the same: it is told when it is named. */
async function readable(read: () => Promise<Operation>): Promise<Operation | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

/** Longer lists are for the command without --operation. */
const MOST_NAMED = 40;

function noSuch(source: string, name: string, known: readonly string[]): Error {
  const more = known.length > MOST_NAMED ? ` and ${known.length - MOST_NAMED} more` : "";
  return unusable(
    source,
    `there is no operation "${excerpt(name)}"${suggestion(name, known) || ";"} there are: ${known.slice(0, MOST_NAMED).map(excerpt).join(", ")}${more}`,
  );
}
