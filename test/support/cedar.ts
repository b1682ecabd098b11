/**
 * A policy service around Cedar: Cedar itself, from the npm package `@cedar-policy/cedar-wasm`, behind the interface of
 * Cedar Agent (`POST /v1/is_authorized`). What a policy is annotated with as @obligation is added to a permit of it.
 */
import { createRequire } from "node:module";
import type * as Cedar from "@cedar-policy/cedar-wasm/nodejs";
import { type Answer, AuthorizationService } from "./service.ts";

const cedar: typeof Cedar = createRequire(import.meta.url)("@cedar-policy/cedar-wasm/nodejs");

/** @param text policies, each with an @id */
export async function startCedar(text: string): Promise<AuthorizationService> {
  const policies = new Map<string, { readonly source: string; readonly obligation: string | undefined }>();
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === "failure") throw new Error(JSON.stringify(parts.errors));
  for (const source of parts.policies) {
    const { annotations } = parsed(source);
    policies.set(annotations?.id ?? source, { source, obligation: annotations?.obligation });
  }
  const staticPolicies = Object.fromEntries([...policies].map(([id, { source }]) => [id, source]));
  return AuthorizationService.start(({ url, json }) => {
    if (url !== "/v1/is_authorized" || json === null) return { status: 404 };
    const { principal, action, resource, context } = json as Record<string, string>;
    const call = { context: context as unknown as Cedar.Context, policies: { staticPolicies }, entities: [] };
    let answer: Cedar.AuthorizationAnswer;
    try {
      const ids = { principal: entity(principal), action: entity(action), resource: entity(resource) };
      answer = cedar.isAuthorized({ ...call, ...ids });
    } catch (error) {
      return { status: 400, body: { reason: String(error), code: 400 } };
    }
    if (answer.type === "failure")
      return { status: 400, body: { reason: JSON.stringify(answer.errors), code: 400 } };
    const { decision, diagnostics } = answer.response;
    const obligations = diagnostics.reason.flatMap((id) => policies.get(id)?.obligation ?? []);
    return permitOrDenial(decision, obligations, diagnostics);
  });
}

function permitOrDenial(decision: string, obligations: string[], diagnostics: Cedar.Diagnostics): Answer {
  const errors = diagnostics.errors.map(
    ({ policyId, error }) => `while evaluating policy ${policyId}: ${error.message}`,
  );
  const body = {
    decision: decision === "allow" ? "Allow" : "Deny",
    diagnostics: { reason: diagnostics.reason, errors },
    ...(obligations.length > 0 && { obligations }),
  };
  return { body };
}

/** What `User::"alice"` names, read by Cedar. */
function entity(text = ""): Cedar.EntityUidJson {
  const { principal } = parsed(`permit (principal == ${text}, action, resource);`);
  if (principal.op !== "==" || !("entity" in principal)) throw new Error(`${text} names no entity`);
  return principal.entity;
}

function parsed(source: string): Cedar.PolicyJson {
  const answer = cedar.policyToJson(source);
  if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
  return answer.json;
}
