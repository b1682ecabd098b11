/** Who is told, besides the log, how each decision came about. */
import type { Trace } from "../decision/decide.ts";
import type { Decision } from "../model/decision.ts";
import type { PolicyRequest } from "../model/request.ts";

/** Of one decision. */
export interface DecisionTrace extends Trace {
  /** It is made; secrets are masked. */
  end(decision: Decision): void;
}

export interface Tracer {
  /** Undefined for a decision that is not told of. */
  begin(request: PolicyRequest): DecisionTrace | undefined;
}
