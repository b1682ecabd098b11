/** An authorization service as a decision sees it: how it is asked, and what is answered when it cannot be. */
import type { OnFailure } from "../config/on-failure.ts";
import type { Mapping } from "../mapping/mapping.ts";
import type { Upstream } from "../upstream/upstream.ts";

export interface Service {
  readonly name: string;
  readonly mapping: Mapping;
  readonly upstream: Upstream;
  /** For one decision: waiting, attempts and pauses together, in milliseconds. */
  readonly deadline: number;
  readonly onFailure: OnFailure;
  /** Whether no call is made now, and on_failure for `offline` answers. */
  readonly isOffline: () => boolean;
}
