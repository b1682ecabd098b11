/** What the admin endpoint shows: the contract between it and the bridge. */
import type { Figures } from "../bridge/figures.ts";
import type { Status } from "../control/controls.ts";

export interface Seen {
  /** Whether the configuration is loaded and the listeners are bound; else what is still missing. */
  readonly notReady: () => string | undefined;
  /** As `pfxbridge status --json` tells it. */
  readonly status: () => Promise<Status>;
  readonly figures: () => Promise<Figures>;
  /** Takes secrets out of what is said. */
  readonly mask: (text: string) => string;
}
