/** From `cache` of a service to its remembered decisions. */
import { createHash } from "node:crypto";
import { type CacheCounters, type CachePolicy, DecisionCache, type KeyOf } from "../cache/cache.ts";
import { callKey, valuesKey } from "../cache/key.ts";
import type { Store } from "../cache/store.ts";
import type { AuthConfig, CacheConfig, ServiceConfig } from "../config/config.ts";
import { needsAllRecipients, recipientsProblem } from "../expression/all-recipients.ts";
import type { Template } from "../expression/template.ts";
import { requestVariables } from "../expression/variables.ts";
import { isFailure, type Mapping } from "../mapping/mapping.ts";
import type { Failure } from "../model/failure.ts";
import type { PolicyRequest } from "../model/request.ts";

export function openCache(
  service: ServiceConfig,
  config: CacheConfig,
  mapping: Mapping,
  store: Store,
  counters?: CacheCounters,
): DecisionCache {
  const scope = [
    service.name,
    ...service.urls,
    ...(service.host === undefined ? [] : [service.host]),
    service.mapping.version,
    identityOf(service),
  ];
  const keyOf = config.key === null ? keyOfCall(scope, mapping) : keyOfTemplate(scope, config.key);
  const policy: CachePolicy = {
    ...config,
    signature: config.secret?.reveal(),
    keepsVerdicts: mapping.judgesByReplyAlone === true,
  };
  return new DecisionCache(service.name, policy, store, keyOf, counters);
}

/** What a service can tell one caller from another by; secrets only as a hash of their hash. */
function identityOf({ auth, headers, secrets, tls }: ServiceConfig): string {
  const shown = Object.entries({ ...headers, ...secrets }).map(([name, value]) => [
    name,
    typeof value === "string" ? value : value.reveal(),
  ]);
  return createHash("sha256")
    .update(JSON.stringify([credentials(auth), shown, tls.cert ?? tls.pkcs12 ?? ""]))
    .digest("base64url");
}

function credentials(auth: AuthConfig): readonly string[] {
  switch (auth.kind) {
    case "none":
      return [];
    case "basic":
      return [auth.username, auth.password.reveal()];
    case "bearer":
      return [auth.token.reveal()];
    case "api_key":
      return [auth.name, auth.key.reveal()];
    case "oauth2":
      // Tokens come and go, and the secrets that they are had for; who the client is stays.
      return [...Object.values(auth.server), auth.clientId, ...auth.parameters.flat()];
    case "session":
      return [...auth.urls, auth.definition];
    case "ws_security":
      // Nonce and times are no part of who it is.
      return [auth.token.username, auth.password.reveal()];
  }
}

/** Which are no part of a key: where a call holds one, it is rendered once more with fixed ones. */
const OF_ONE_DECISION = ["request_id", "reference", "now"];

function keyOfCall(scope: readonly string[], mapping: Mapping): KeyOf {
  const key = callKey(scope);
  if (!OF_ONE_DECISION.some((name) => mapping.names?.has(name))) return key;
  return (_call, request) => {
    const call = mapping.render({ ...request, id: "", time: 0 });
    if (call instanceof Promise)
      return call.then((rendered) => (isFailure(rendered) ? rendered : key(rendered)));
    return isFailure(call) ? call : key(call);
  };
}

function keyOfTemplate(scope: readonly string[], template: Template): KeyOf {
  const key = valuesKey([...scope, template.text]);
  const whole = needsAllRecipients(template.names);
  const failure = (reason: string): Failure => ({
    cause: "mapping_error",
    detail: `cache.key cannot be made from this request: ${reason}`,
  });
  return (_call, request: PolicyRequest): string | Failure => {
    try {
      const variables = requestVariables(request, NO_PARAMETERS);
      const problem = whole ? recipientsProblem(variables) : null;
      if (problem !== null) return failure(problem);
      const values: string[] = [];
      template.render(variables, (value) => {
        values.push(value);
        return value;
      });
      return key(values);
    } catch (error) {
      return failure((error as Error).message);
    }
  };
}

const NO_PARAMETERS: ReadonlyMap<string, unknown> = new Map();
