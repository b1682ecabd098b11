/** The body of a call, whatever it is made of. */

import type { Seal } from "./addressing.ts";
import type { Render } from "./context.ts";
import type { CompiledHeader } from "./headers.ts";

export interface CompiledBody {
  /** What the body brings with it: Content-Type, and SOAPAction. The mapping's own `headers:` take their place. */
  readonly headers: readonly CompiledHeader[];
  readonly render: Render;
  /** Of an envelope: what each attempt puts into it. */
  readonly seal?: Seal;
}
