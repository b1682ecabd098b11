/** What `offline` and `online` print: how the services stand now. */
import type { ServiceMode } from "../bridge/status.ts";
import type { Switching } from "../control/controls.ts";
import { at } from "../control/status-text.ts";
import { visible } from "../text/visible.ts";

export function printSwitching({ services, warning }: Switching): void {
  for (const service of services) console.log(visible(`${service.name}: ${describe(service)}`));
  if (warning !== undefined) console.error(visible(`pfxbridge: ${warning}`));
}

function describe({ offline }: ServiceMode): string {
  switch (offline?.reason) {
    case undefined:
      return "online";
    case "configuration":
      return `offline, as "offline" in the configuration says; change it there, then reload`;
    case "command_line":
      return "offline, as it was started with --offline";
    case "by_hand":
      return offline?.until
        ? `offline until ${at(offline.until, Date.now())}`
        : "offline until switched back";
  }
}
