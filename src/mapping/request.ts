/**
 * `request:` of a mapping, compiled: from the variables of a policy request to the call.
 *
 * All that can be worked out beforehand is: a call is literal text with escaped values between. Mistakes are reported
 * with their path in the file, all of them. A value that cannot be had or placed makes the call a `mapping_error`.
 */

import type { Variables } from "../expression/variables.ts";
import type { UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import type { Path } from "../source/position.ts";
import { oneLine } from "../text/one-line.ts";
import { percentEncode } from "../text/percent.ts";
import type { Seal } from "./render/addressing.ts";
import type { CompiledBody } from "./render/body.ts";
import { type CompileContext, type Render, RenderError } from "./render/context.ts";
import { formEncode } from "./render/escape.ts";
import { compileFields, joinFields } from "./render/fields.ts";
import { type CompiledHeader, compileHeaders } from "./render/headers.ts";
import { compileJson } from "./render/json.ts";
import { compileSoap, type SoapDefinition } from "./render/soap.ts";
import { compileTextBody, type TextDefinition } from "./render/text.ts";
import { compileUrl } from "./render/url.ts";

export type { CompileContext } from "./render/context.ts";

/** As written in the mapping file (mappings/README.md, "The request"); of the four bodies one at most. */
export interface RequestDefinition {
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, unknown>> | undefined;
  readonly text?: TextDefinition | undefined;
  readonly soap?: SoapDefinition | undefined;
  readonly omit_empty?: boolean | undefined;
}

export interface CompiledRequest {
  /** In lower case, those made from the body among them. */
  readonly headerNames: readonly string[];
  /** Of the query's parameters, as far as the mapping says them outright. */
  readonly queryNames: ReadonlySet<string>;
  /** The variables that its expressions read. */
  readonly names: ReadonlySet<string>;
  /** Of a SOAP call: what each attempt puts into its envelope. */
  readonly seal?: Seal | undefined;
  /** Never throws; what goes wrong is a `mapping_error` whose detail names the place. */
  render(variables: Variables): UpstreamRequest | Failure;
}

const PATH: Path = ["request"];
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const BODIES = ["json", "form", "text", "soap"] as const;

/** Compiles what it can and reports the rest; the result is of use only if nothing was reported. */
export function compileRequest(definition: RequestDefinition, context: CompileContext): CompiledRequest {
  const names = new Set<string>();
  const options = { encode: percentEncode, omitEmpty: definition.omit_empty ?? false };
  const query = compileFields(definition.query ?? {}, [...PATH, "query"], context, options, names);
  const url = compileUrl(definition.path ?? "", query, [...PATH, "path"], context, options, names);
  const body = compileBody(definition, context, names);
  const own = compileHeaders(definition.headers ?? {}, [...PATH, "headers"], context, names);
  const made = body?.headers.filter(({ name }) => own.every((header) => header.name !== name)) ?? [];
  const headers = [...made, ...own];
  const method = compileMethod(definition.method, body !== null, context);
  return {
    headerNames: headers.map(({ name }) => name),
    queryNames: queryNamesOf(definition),
    names,
    seal: body?.seal,
    render: (variables) => renderCall(method, url, headers, body?.render ?? null, variables),
  };
}

function queryNamesOf({ path = "", query = {} }: RequestDefinition): ReadonlySet<string> {
  const inPath = new URLSearchParams(path.split("?").slice(1).join("&"));
  return new Set([...Object.keys(query), ...inPath.keys()]);
}

function renderCall(
  method: string,
  url: Render,
  headers: readonly CompiledHeader[],
  body: Render | null,
  variables: Variables,
): UpstreamRequest | Failure {
  try {
    const fields: Record<string, string> = {};
    for (const { name, render } of headers) fields[name] = render(variables);
    return { method, path: url(variables), headers: fields, body: body === null ? null : body(variables) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return {
      cause: "mapping_error",
      detail: oneLine(error instanceof RenderError ? detail : `request: ${detail}`),
    };
  }
}

function compileMethod(method: string | undefined, hasBody: boolean, context: CompileContext): string {
  if (method === undefined) return hasBody ? "POST" : "GET";
  if (!METHODS.includes(method)) {
    context.report([...PATH, "method"], `the method is one of ${METHODS.join(", ")}, in capitals`);
  } else if (hasBody && (method === "GET" || method === "HEAD")) {
    context.report(
      [...PATH, "method"],
      `a ${method} call has no body; use POST, or query instead of the body`,
    );
  }
  return method;
}

function compileBody(
  definition: RequestDefinition,
  context: CompileContext,
  names: Set<string>,
): CompiledBody | null {
  const [kind, ...others] = BODIES.filter((name) => definition[name] !== undefined);
  const [second] = others;
  if (second !== undefined) {
    context.report([...PATH, second], `a call has one body, and ${String(kind)} is there already`);
  }
  const omitEmpty = definition.omit_empty ?? false;
  const at = [...PATH, kind ?? ""];
  if (definition.json !== undefined) {
    return typedBody("application/json", compileJson(definition.json, at, context, omitEmpty, names));
  }
  if (definition.form !== undefined) {
    const fields = compileFields(definition.form, at, context, { encode: formEncode, omitEmpty }, names);
    return typedBody("application/x-www-form-urlencoded", joinFields(fields));
  }
  if (definition.text !== undefined) return compileTextBody(definition.text, at, context, names);
  if (definition.soap !== undefined) return compileSoap(definition.soap, at, context, omitEmpty, names);
  return null;
}

function typedBody(type: string, render: Render): CompiledBody {
  return { headers: [{ name: "content-type", render: () => type }], render };
}
