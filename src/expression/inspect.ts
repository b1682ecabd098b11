/**
 * What can be told from an expression's syntax tree before its types are checked: the variables that it reads, and
 * mistakes that the type checker would let pass. Throws `ExpressionError`.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { PROTOCOL_STATES } from "../model/request.ts";
import { suggestion } from "../text/nearest.ts";
import { ExpressionError } from "./error.ts";
import { FAULT_MEMBERS, type Scope, variableTypes } from "./scope.ts";
import { COMPREHENSIONS, nodesIn } from "./syntax.ts";

/** Names that a macro such as `exists(r, …)` brings with it. */
type Bound = ReadonlySet<string>;

/** The names of the scope's variables that the expression reads, and `secret.NAME` for each secret. */
export function inspect(root: ASTNode, scope: Scope): ReadonlySet<string> {
  const types = variableTypes(scope.kind);
  const names = new Set<string>();

  function visit(node: ASTNode, bound: Bound): void {
    checkComparison(node, bound);
    checkMember(node, bound, scope);
    checkSubtraction(node);
    checkKeys(node);
    const secret = secretName(node, bound, scope);
    if (secret !== undefined) {
      names.add(`secret.${secret}`);
      return;
    }
    if (node.op === "id" && types.has(node.args) && !bound.has(node.args)) names.add(node.args);
    for (const [child, inner] of children(node, bound)) visit(child, inner);
  }

  visit(root, new Set());
  return names;
}

function children(node: ASTNode, bound: Bound): (readonly [ASTNode, Bound])[] {
  if (node.op === "rcall") {
    const [method, receiver, args] = node.args;
    const [variable, ...rest] = args;
    if (COMPREHENSIONS.has(method) && variable?.op === "id") {
      const inner = new Set([...bound, variable.args]);
      return [[receiver, bound], ...rest.map((child) => [child, inner] as const)];
    }
    if (method === "bind" && isName(receiver, "cel", bound) && variable?.op === "id" && rest.length === 2) {
      const [value, body] = rest as [ASTNode, ASTNode];
      return [
        [value, bound],
        [body, new Set([...bound, variable.args])],
      ];
    }
  }
  return nodesIn(node.args).map((child) => [child, bound]);
}

function isName(node: ASTNode, name: string, bound: Bound): boolean {
  return node.op === "id" && node.args === name && !bound.has(name);
}

/** `protocol_state == "RCTP"` is always false. */
function checkComparison(node: ASTNode, bound: Bound): void {
  if (node.op !== "==" && node.op !== "!=" && node.op !== "in") return;
  const [left, right] = node.args;
  if (isName(left, "protocol_state", bound)) checkState(right);
  if (node.op !== "in" && isName(right, "protocol_state", bound)) checkState(left);
}

function checkState(node: ASTNode): void {
  if (node.op === "list") node.args.forEach(checkState);
  if (node.op !== "value" || typeof node.args !== "string") return;
  // Empty is what `try` and requests typed by hand give.
  if (node.args === "" || (PROTOCOL_STATES as readonly string[]).includes(node.args)) return;
  const known = PROTOCOL_STATES.join(", ");
  throw new ExpressionError(
    `"${node.args}" is no protocol_state${suggestion(node.args, PROTOCOL_STATES)} (known: ${known})`,
    node.start,
  );
}

function checkMember(node: ASTNode, bound: Bound, scope: Scope): void {
  if (node.op !== "." && node.op !== ".?" && node.op !== "[]" && node.op !== "[?]") return;
  const [object, key] = node.args;
  const name = typeof key === "string" ? key : key.op === "value" ? key.args : undefined;
  if (typeof name !== "string") return;
  const offset = typeof key === "string" ? node.pos : key.start;
  if (knows(scope, "fault") && isName(object, "fault", bound) && !FAULT_MEMBERS.includes(name)) {
    const known = FAULT_MEMBERS.join(", ");
    throw new ExpressionError(
      `fault has no member "${name}"${suggestion(name, FAULT_MEMBERS)} (it has ${known})`,
      offset,
    );
  }
  if (isName(object, "param", bound) && !scope.parameterNames.includes(name)) {
    throw new ExpressionError(`there is no parameter "${name}"${parametersHint(name, scope)}`, offset);
  }
}

/** The name in `secret.NAME`, and no other use of `secret`; undefined where it is something else. */
function secretName(node: ASTNode, bound: Bound, scope: Scope): string | undefined {
  if (isName(node, "secret", bound)) {
    const message = knows(scope, "secret")
      ? "a secret is sent by its name: secret.NAME"
      : "a secret can be sent with the request, and not be used elsewhere";
    throw new ExpressionError(message, node.start);
  }
  if (node.op !== "." && node.op !== "[]") return undefined;
  const [object, key] = node.args;
  if (!isName(object, "secret", bound) || !knows(scope, "secret")) return undefined;
  const name = typeof key === "string" ? key : key.op === "value" ? key.args : undefined;
  if (typeof name !== "string") return undefined;
  if (scope.secretNames === null || scope.secretNames.includes(name)) return name;
  const where = scope.kind === "login" ? "of auth.session" : "of the service";
  const hint = suggestion(name, scope.secretNames) || `; name it under \`secrets\` ${where}`;
  throw new ExpressionError(`there is no secret "${name}"${hint}`, object.start);
}

function knows({ kind }: Scope, name: string): boolean {
  return variableTypes(kind).has(name);
}

function parametersHint(name: string, { parameterNames }: Scope): string {
  if (parameterNames.length === 0) return "; declare it under parameters";
  return suggestion(name, parameterNames) || ` (declared: ${parameterNames.join(", ")})`;
}

/** `body.user-status` is a subtraction to CEL; whoever writes it without blanks means a member. */
function checkSubtraction(node: ASTNode): void {
  if (node.op !== "-") return;
  const [left, right] = node.args;
  if (left.op !== "." && left.op !== ".?") return;
  if (right.start !== left.end + 1 || leftmost(right).op !== "id") return;
  const [object] = left.args;
  const member = /^[\w-]+/.exec(node.input.slice(left.pos))?.[0] ?? "";
  const optional = left.op === ".?" ? "?" : "";
  throw new ExpressionError(
    `${node.input.slice(left.start, left.pos)}${member} is a subtraction; write ` +
      `${node.input.slice(object.start, object.end)}[${optional}"${member}"] for the member, or put blanks around the minus sign`,
    left.start,
  );
}

/** cel-js takes the last of two members of one name, and leaves these out. */
const LEFT_OUT: ReadonlySet<unknown> = new Set(["__proto__", "constructor", "prototype"]);

function checkKeys(node: ASTNode): void {
  if (node.op !== "map") return;
  const seen = new Set<unknown>();
  for (const [key] of node.args) {
    if (key.op !== "value") continue;
    if (seen.has(key.args))
      throw new ExpressionError(`the key ${key.input.slice(key.start, key.end)} stands twice`, key.start);
    if (LEFT_OUT.has(key.args))
      throw new ExpressionError(`a map cannot have the key "${String(key.args)}"`, key.start);
    seen.add(key.args);
  }
}

function leftmost(node: ASTNode): ASTNode {
  let current = node;
  while (current.op === "." || current.op === ".?" || current.op === "[]" || current.op === "[?]") {
    current = current.args[0];
  }
  return current;
}
