/**
 * The login of `auth.session`, compiled: a call without a policy request, what is taken from its reply, how that is shown
 * with the service's own calls, and by what their replies say that the session is over.
 *
 * The language is that of mappings, with other things to name: `secret` in the login, the reply in `token`, `expires_in`
 * and `expired`, `token` where it is shown.
 */
import {
  type Condition,
  compileCondition,
  compileExpression,
  type Expression,
  ExpressionError,
} from "../expression/expression.ts";
import { createScope, type ScopeKind } from "../expression/scope.ts";
import { compileTemplate } from "../expression/template.ts";
import { loginVariables, replyVariables, tokenVariables } from "../expression/variables.ts";
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import { type Failure, isFailure } from "../model/failure.ts";
import type { Path } from "../source/position.ts";
import { loginReader, type Session, type Shown } from "./login-reply.ts";
import { compileHeaderBlock } from "./render/soap.ts";
import { type ReplyOptions, ReplyView } from "./reply.ts";
import { compileRequest, type RequestDefinition } from "./request.ts";

export interface LoginDefinition {
  readonly login: RequestDefinition;
  /** CEL over the reply; absent: the cookie of that name which the reply sets. */
  readonly token?: string | undefined;
  /** CEL over the reply, in seconds. Absent: until it is refused. */
  readonly expiresIn?: string | undefined;
  /** CEL over a reply of the service: whether the session is over. A 401 says so in any case. */
  readonly expired?: string | undefined;
  readonly shown: Shown;
}

export interface LoginContext {
  readonly secrets: { readonly names: readonly string[]; readonly values: ReadonlyMap<string, string> };
  readonly reply: ReplyOptions;
  report(path: Path, message: string, offset?: number): void;
}

export interface Login {
  /** The login's call, by what the secrets are now. */
  render(): UpstreamRequest | Failure;
  /** Of a complete reply to it; the detail begins with the status. */
  read(reply: UpstreamReply): Session | Failure;
  /** Whether a reply of the service says that the session is over. */
  isOver(reply: UpstreamReply): boolean;
  /** Of a SOAP call: the block of its Header that shows the token; null: it is shown elsewhere. */
  readonly block: ((token: string) => string) | null;
}

/** Compiles what it can and reports the rest; the result is of use only if nothing was reported. */
export function compileLogin(definition: LoginDefinition, context: LoginContext): Login {
  const { secrets, report } = context;
  const request = compileRequest(definition.login, {
    scope: createScope("login", [], secrets.names),
    report: ([, ...path], message, offset) => report(["login", ...path], message, offset),
  });
  const variables = loginVariables(secrets.values);
  const { shown } = definition;
  const ofReply = (key: "token" | "expires_in", text: string | undefined) =>
    text === undefined ? null : compiled("reply", [key], text, context, compileExpression);
  const token = ofReply("token", definition.token);
  const lifetime = ofReply("expires_in", definition.expiresIn);
  const { expired } = definition;
  const over =
    expired === undefined ? null : compiled("reply", ["expired"], expired, context, compileCondition);
  const render = () => {
    const call = request.render(variables);
    return isFailure(call)
      ? { ...call, detail: call.detail.replace(/^request\b/, "auth.session.login") }
      : call;
  };
  return {
    render,
    read: loginReader(token, lifetime, shown, headersOf(shown, context), context.reply),
    isOver: over === null ? () => false : (reply) => isOver(over, new ReplyView(reply, context.reply)),
    block: blockOf(shown, context),
  };
}

/** Null after the mistake has been reported. */
function compiled<T extends Expression>(
  kind: ScopeKind,
  path: Path,
  text: string,
  { report }: LoginContext,
  compile: (text: string, scope: ReturnType<typeof createScope>) => T,
): T | null {
  try {
    return compile(text, createScope(kind, []));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    report(path, error.message, error.offset);
    return null;
  }
}

function headersOf(shown: Shown, { report }: LoginContext): (token: string) => Record<string, string> {
  switch (shown.in) {
    case "soap_header":
      return () => ({});
    case "cookie":
      return (token) => ({ cookie: `${shown.name}=${token}` });
    case "header": {
      const { name, value } = shown;
      try {
        const template = compileTemplate(value, createScope("token", []));
        if (template.literal !== null) {
          report(["header", "value"], "nothing in it is the token; write it as in Bearer ${token}");
        }
        return (token) => ({ [name]: template.render(tokenVariables(token)) });
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
        report(["header", "value"], error.message, error.offset);
        return () => ({});
      }
    }
  }
}

function blockOf(shown: Shown, { report }: LoginContext): Login["block"] {
  if (shown.in !== "soap_header") return null;
  const scope = createScope("token", []);
  if (!shown.xml.includes("${")) report(["soap_header"], "nothing in it is the token; write ${token}");
  const render = compileHeaderBlock(shown.xml, ["soap_header"], { scope, report });
  return (token) => render(tokenVariables(token));
}

function isOver(condition: Condition, view: ReplyView): boolean {
  return condition.test(replyVariables(view)) === true;
}
