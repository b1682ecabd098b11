/** An OpenAPI 3.0 or 3.1 or Swagger 2.0 document as operations. */

import { excerpt } from "../../text/excerpt.ts";
import { oneLine } from "../../text/one-line.ts";
import type { Documents } from "../documents.ts";
import { isHttp } from "../documents.ts";
import type { DescribedReply, HttpBody, Operation, Parameter } from "../operation.ts";
import { type Member, type ObjectShape, OPEN } from "../shape.ts";
import { authLines } from "./security.ts";
import { shapeOf } from "./shapes.ts";
import {
  type DocumentNode,
  fieldsOf,
  items,
  member,
  members,
  placeProblem,
  readReferred,
  readTree,
  textAt,
} from "./tree.ts";

const METHODS = new Set(["get", "post", "put", "patch", "delete", "head", "options"]);

/** An operation, not yet looked into. */
export interface PathOperation {
  /** The operationId, or `POST /check` where there is none. */
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  /** @throws ProblemError where the description lacks something */
  read(): Promise<Operation>;
}

/** @throws ProblemError */
export async function readOpenApi(source: string, documents: Documents): Promise<readonly PathOperation[]> {
  const root = await readTree(source, documents);
  const version = versionOf(root);
  const found: PathOperation[] = [];
  // A path may stand in a document of its own.
  for (const [path, item] of Object.entries(fieldsOf(member(root, "paths")?.value) ?? {})) {
    const reference = fieldsOf(item)?.$ref;
    if (typeof reference === "string") {
      await readReferred({ ...root, path: ["paths", path], value: { $ref: reference } }, documents);
    }
  }
  for (const path of members(member(root, "paths"))) {
    for (const operation of members(path)) {
      if (!METHODS.has(operation.name)) continue;
      const method = operation.name.toUpperCase();
      const id = textAt(operation, "operationId") ?? `${method} ${path.name}`;
      const summary = oneLine(textAt(operation, "summary") ?? "", 80);
      const of = { root, version, method, path, operation, id };
      found.push({
        id,
        method,
        path: path.name,
        summary,
        read: async () => {
          await readReferred(operation, documents);
          await readReferred({ ...path, value: { parameters: fieldsOf(path.value)?.parameters } }, documents);
          return readOperation(of);
        },
      });
    }
  }
  if (found.length === 0) throw placeProblem(root, "expected operations under paths; there are none");
  return found;
}

type Version = "2" | "3";

function versionOf(root: DocumentNode): Version {
  const fields = fieldsOf(root.value);
  const swagger = String(fields?.swagger ?? "");
  const openapi = String(fields?.openapi ?? "");
  if (/^2(?:\.|$)/.test(swagger)) return "2";
  if (/^3\.[012]/.test(openapi)) return "3";
  const written = openapi !== "" ? openapi : swagger;
  throw placeProblem(
    written === "" ? root : { ...root, path: [openapi !== "" ? "openapi" : "swagger"] },
    `expected an OpenAPI document, with openapi: 3.0, 3.1 or swagger: "2.0"${written === "" ? "" : `; this is "${excerpt(written)}"`}`,
  );
}

interface Found {
  readonly root: DocumentNode;
  readonly version: Version;
  readonly method: string;
  readonly path: DocumentNode & { readonly name: string };
  readonly operation: DocumentNode;
  readonly id: string;
}

/** Headers that are not a mapping's to set. */
const NOT_OURS =
  /^(?:host|content-.*|accept|authorization|connection|transfer-encoding|proxy-.*|x-request-id)$/i;

function readOperation(of: Found): Operation {
  const { root, version, method, path, operation, id } = of;
  const declared = new Map<string, DocumentNode>();
  for (const parameter of [...items(member(path, "parameters")), ...items(member(operation, "parameters"))]) {
    declared.set(`${textAt(parameter, "in")} ${textAt(parameter, "name")}`, parameter);
  }
  const parameters = [...declared.values()];
  const notes: string[] = [];
  const { reply, denials } = replyOf(of, notes);
  if (denials.length > 0) {
    notes.push(
      `A status can be an answer. The description has ${denials.join(", ")}: a rule such as \`when: status == 403\` takes one for a denial; without one it is trouble.`,
    );
  }
  const title = textAt(root, "info", "title") ?? "";
  return {
    id,
    title: `${id}${title === "" ? "" : ` of ${oneLine(title, 100)}`}`,
    url: urlOf(root, version, of),
    call: {
      kind: "http",
      method,
      path: path.name,
      parameters: parameters.flatMap((parameter) => parameterOf(parameter, version)),
      body: version === "2" ? swaggerBody(of, parameters) : bodyOf(of),
    },
    reply,
    auth: authLines(root, operation, version === "2"),
    notes,
  };
}

function parameterOf(parameter: DocumentNode, version: Version): Parameter[] {
  const name = textAt(parameter, "name");
  const place = textAt(parameter, "in");
  if (name === undefined || (place !== "path" && place !== "query" && place !== "header")) return [];
  if (place === "header" && NOT_OURS.test(name)) return [];
  const content = members(member(parameter, "content"))[0];
  const schema =
    version === "2" ? parameter : (member(parameter, "schema") ?? (content && member(content, "schema")));
  const description = textAt(parameter, "description");
  return [
    {
      name,
      place,
      required: place === "path" || fieldsOf(parameter.value)?.required === true,
      shape: shapeOf(schema, "call"),
      ...(description === undefined ? {} : { description }),
    },
  ];
}

const KINDS: readonly (readonly [RegExp, HttpBody["kind"]])[] = [
  [/^application\/(?:[\w.+-]*\+)?json\b/i, "json"],
  [/^application\/x-www-form-urlencoded\b/i, "form"],
  [/^(?:text\/|application\/(?:[\w.+-]*\+)?xml\b)/i, "text"],
];

function kindOf(type: string): HttpBody["kind"] | undefined {
  if (/^(?:\*\/\*|application\/\*)$/.test(type)) return "json";
  return KINDS.find(([pattern]) => pattern.test(type))?.[1];
}

/** The best of several content types: JSON, then a form, then text. */
function best<T extends { readonly name: string }>(
  types: readonly T[],
): { type: T; kind: HttpBody["kind"] } | undefined {
  for (const kind of ["json", "form", "text"] as const) {
    const type = types.find(({ name }) => kindOf(name) === kind);
    if (type !== undefined) return { type, kind };
  }
  return undefined;
}

function bodyOf({ operation }: Found): HttpBody | null {
  const body = member(operation, "requestBody");
  const types = members(body && member(body, "content"));
  if (body === undefined || types.length === 0) return null;
  const found = best(types);
  if (found === undefined)
    throw notSent(
      body,
      types.map(({ name }) => name),
    );
  return { kind: found.kind, type: found.type.name, shape: shapeOf(member(found.type, "schema"), "call") };
}

function notSent(place: DocumentNode, types: readonly string[]): Error {
  return placeProblem(
    place,
    `a mapping sends JSON, a form or text; expected one of these, not ${excerpt(types.join(", "))}`,
  );
}

function swaggerBody({ root, operation }: Found, parameters: readonly DocumentNode[]): HttpBody | null {
  const types = items(member(operation, "consumes") ?? member(root, "consumes")).map(({ value }) => ({
    name: String(value),
  }));
  const body = parameters.find((parameter) => textAt(parameter, "in") === "body");
  const fields = parameters.filter((parameter) => textAt(parameter, "in") === "formData");
  if (body !== undefined) {
    const found =
      types.length === 0 ? { type: { name: "application/json" }, kind: "json" as const } : best(types);
    if (found === undefined)
      throw notSent(
        body,
        types.map(({ name }) => name),
      );
    return { kind: found.kind, type: found.type.name, shape: shapeOf(member(body, "schema"), "call") };
  }
  if (fields.length === 0) return null;
  const shape: ObjectShape = {
    kind: "object",
    members: fields.map(
      (field): Member => ({
        name: textAt(field, "name") ?? "",
        required: fieldsOf(field.value)?.required === true,
        shape: shapeOf(field, "call"),
      }),
    ),
  };
  return { kind: "form", type: "application/x-www-form-urlencoded", shape };
}

function replyOf(
  { root, version, operation }: Found,
  notes: string[],
): { reply: DescribedReply; denials: readonly string[] } {
  const responses = members(member(operation, "responses"));
  const response =
    responses.find(({ name }) => name === "200") ??
    responses.find(({ name }) => /^2\d\d$|^2XX$/i.test(name)) ??
    responses.find(({ name }) => name === "default");
  const denials = responses
    .filter(({ name }) => /^40[34]$/.test(name))
    .map((item) => `${item.name} (${oneLine(textAt(item, "description") ?? "", 60)})`);
  if (response === undefined) {
    notes.push("The description has no reply with 2xx.");
    return { reply: { kind: "json", shape: OPEN }, denials };
  }
  if (version === "2") {
    const types = items(member(operation, "produces") ?? member(root, "produces")).map(({ value }) => ({
      name: String(value),
    }));
    const text = types.length > 0 && best(types)?.kind === "text";
    return {
      reply: { kind: text ? "text" : "json", shape: shapeOf(member(response, "schema"), "reply") },
      denials,
    };
  }
  const found = best(members(member(response, "content")));
  if (found === undefined) return { reply: { kind: "json", shape: OPEN }, denials };
  return {
    reply: {
      kind: found.kind === "json" ? "json" : "text",
      shape: shapeOf(member(found.type, "schema"), "reply"),
    },
    denials,
  };
}

/** Where the service is: the operation's own server, else the document's; a server's variables by their defaults. */
function urlOf(root: DocumentNode, version: Version, { operation, path }: Found): string {
  const { address } = root.tree.document;
  const written = version === "2" ? swaggerUrl(root) : serverUrl([operation, path, root]);
  if (isHttp(written)) return written.replace(/\/$/, "");
  if (!isHttp(address)) return "";
  return URL.canParse(written, address) ? new URL(written, address).href.replace(/\/$/, "") : "";
}

function serverUrl(places: readonly DocumentNode[]): string {
  const server = places
    .map((place) => items(member(place, "servers"))[0])
    .find((found) => found !== undefined);
  const url = (server && textAt(server, "url")) ?? "/";
  return url.replace(
    /\{([^{}]+)\}/g,
    (_, name: string) => (server && textAt(server, "variables", name, "default")) ?? name,
  );
}

function swaggerUrl(root: DocumentNode): string {
  const host = textAt(root, "host");
  const base = textAt(root, "basePath") ?? "/";
  if (host === undefined) return base;
  const schemes = items(member(root, "schemes")).map(({ value }) => value);
  return `${schemes.includes("https") || schemes.length === 0 ? "https" : "http"}://${host}${base}`;
}
