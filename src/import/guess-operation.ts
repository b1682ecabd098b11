/** Which operation asks for a decision, most likely: by its name, and by whether its reply holds something like one. */
import { likelyDecision } from "./guess-decision.ts";
import type { Operation } from "./operation.ts";
import { words } from "./words.ts";

const NAMES: Readonly<Record<string, number>> = {
  authorize: 4,
  authorise: 4,
  authorization: 2,
  authz: 3,
  allowed: 4,
  allow: 3,
  permit: 3,
  permitted: 4,
  permission: 2,
  decision: 3,
  decide: 4,
  evaluate: 4,
  evaluation: 4,
  check: 4,
  access: 2,
  can: 2,
  may: 2,
  query: 1,
  mail: 2,
  email: 2,
  send: 2,
  sender: 2,
  policy: 1,
  data: 1,
  // What changes something, or asks about many things at once, is not it.
  create: -4,
  update: -4,
  delete: -4,
  put: -3,
  patch: -3,
  add: -3,
  set: -3,
  write: -3,
  remove: -4,
  list: -3,
  batch: -2,
  evaluations: -1,
  search: -3,
  health: -5,
  metrics: -5,
  playground: -5,
  admin: -3,
  plan: -2,
};

/** The likeliest one; undefined where none is likely. */
export function likelyOperation(operations: readonly Operation[]): Operation | undefined {
  let best: { readonly operation: Operation; readonly score: number } | undefined;
  for (const operation of operations) {
    const score = scoreOf(operation);
    if (score > 0 && (best === undefined || score > best.score)) best = { operation, score };
  }
  return best?.operation;
}

function scoreOf({ id, title, call, reply }: Operation): number {
  const path = call.kind === "http" ? call.path : "";
  const names = new Set(words(`${id} ${path}`));
  let score = [...names].reduce((sum, name) => sum + (NAMES[name] ?? 0), 0);
  score += words(title).some((name) => name === "authorization") ? 1 : 0;
  if (call.kind === "http") {
    score += call.method === "POST" ? 1 : call.method === "GET" ? 0 : -4;
  }
  const decision = likelyDecision(reply);
  return score + (decision === undefined ? -2 : Math.min(decision.score, 6));
}
