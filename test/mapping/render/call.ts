/** One call, rendered for one policy request: what the tests of this folder share. */

import { createScope } from "../../../src/expression/scope.ts";
import { requestVariables } from "../../../src/expression/variables.ts";
import { isFailure } from "../../../src/mapping/mapping.ts";
import { compileRequest, type RequestDefinition } from "../../../src/mapping/request.ts";
import type { UpstreamRequest } from "../../../src/model/exchange.ts";
import type { Failure } from "../../../src/model/failure.ts";
import { policyRequest } from "../../../src/model/request.ts";

export interface Mistake {
  readonly path: string;
  readonly message: string;
  readonly offset: number | undefined;
}

const PARAMETERS = new Map<string, unknown>([
  ["package", "mail/authz"],
  ["tricky", "a/../b"],
  ["limit", 5],
  ["tags", ["x", ""]],
  ["nested", new Map<string, unknown>([["a", [1, true, null]]])],
]);

export function compiled(definition: RequestDefinition) {
  const mistakes: Mistake[] = [];
  const request = compileRequest(definition, {
    scope: createScope("request", [...PARAMETERS.keys()]),
    report: (path, message, offset) => mistakes.push({ path: path.join("."), message, offset }),
  });
  return { request, mistakes };
}

export function outcome(
  definition: RequestDefinition,
  attributes: Record<string, string> = {},
  recipients: string[] = [],
) {
  const { request, mistakes } = compiled(definition);
  if (mistakes.length > 0) throw new Error(JSON.stringify(mistakes));
  const asked = policyRequest(new Map(Object.entries(attributes)), {
    id: "id",
    time: 0,
    listener: "l",
    recipients,
  });
  return request.render(requestVariables(asked, PARAMETERS));
}

export function call(
  definition: RequestDefinition,
  attributes: Record<string, string> = {},
  recipients: string[] = [],
): UpstreamRequest {
  const result = outcome(definition, attributes, recipients);
  if (isFailure(result)) throw new Error(result.detail);
  return result;
}

export function failure(definition: RequestDefinition, attributes: Record<string, string> = {}): Failure {
  const result = outcome(definition, attributes);
  if (!isFailure(result)) throw new Error(`it was rendered: ${JSON.stringify(result)}`);
  return result;
}

export function mistakes(definition: RequestDefinition): Mistake[] {
  return compiled(definition).mistakes;
}

/** Values that try to break out of any place: each alone, and random mixtures of them, the same on each run. */
export function hostileValues(): string[] {
  const bits = [
    '"',
    "'",
    "\\",
    "<",
    ">",
    "&",
    "]]>",
    "-->",
    "${sender}",
    "$${",
    "}",
    "\r",
    "\n",
    "\t",
    "%0d%0a",
    "%",
    "+",
    " ",
    "..",
    ".",
    "/",
    "?",
    "#",
    "=",
    ";",
    "\u0000",
    "\u001b[31m",
    "\u007f",
    "\u0085",
    "\u2028",
    "\ufeff",
    "\ufffe",
    "\ud800",
    "\udc00",
    "😀",
    "é",
    "__proto__",
    "constructor",
    "</a>",
    "<!--",
    "<![CDATA[",
    "&amp;",
    "&#10;",
    "a",
  ];
  let seed = 42;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const mixtures = Array.from({ length: 300 }, () =>
    Array.from({ length: 1 + random(6) }, () => bits[random(bits.length)]).join(""),
  );
  return ["", ...bits, ...mixtures];
}
