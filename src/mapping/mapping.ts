/**
 * What a mapping is to the rest of the bridge: two functions, compiled when the configuration is loaded.
 *
 *     PolicyRequest ─▶ render ─▶ UpstreamRequest          UpstreamReply ─▶ interpret ─▶ Verdict
 *
 * Neither throws: what goes wrong is a `Failure` with its cause.
 */

import type { Verdict } from "../model/decision.ts";
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import type { PolicyRequest } from "../model/request.ts";

export { isFailure } from "../model/failure.ts";

export interface Mapping {
  /** As the configuration names it. */
  readonly name: string;
  /** The file it was read from. */
  readonly file: string;
  /** Header names, lower case, that its calls set themselves; checked against what `auth` sets. */
  readonly headerNames: readonly string[];
  /** The variables that its calls read, such as `sender`; absent where that is not known, as with a module. */
  readonly names?: ReadonlySet<string>;
  /** Whether it makes SOAP calls. */
  readonly soap?: boolean;
  /** Its rules look at nothing but the reply: the same reply has the same verdict, whoever asked. */
  readonly judgesByReplyAlone?: boolean;
  render(request: PolicyRequest): UpstreamRequest | Failure | Promise<UpstreamRequest | Failure>;
  interpret(reply: UpstreamReply, request: PolicyRequest): Verdict | Failure | Promise<Verdict | Failure>;
}
