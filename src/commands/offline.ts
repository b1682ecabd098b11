/** `pfxbridge offline`: a running bridge makes no calls for now. */
import { parseDuration } from "../config/duration.ts";
import type { Switching } from "../control/controls.ts";
import { type Command, readArguments, UsageError } from "./command.ts";
import { CONTROL_HELP, CONTROL_OPTIONS, command, controlTarget, whoAmI } from "./control-target.ts";
import { printSwitching } from "./switching.ts";

export const offline: Command = {
  help: [
    "Usage: pfxbridge offline [SERVICE …] [--for DURATION]",
    "",
    "The running bridge makes no calls to these services, or to any: remembered",
    "decisions answer, then on_failure for `offline`. Holds across reload and",
    "restart, until `pfxbridge online`. For a planned outage.",
    "",
    "      --for DURATION     ends by itself: 90s, 30m, 2h",
    ...CONTROL_HELP,
    "",
    "  pfxbridge offline corp --for 2h",
  ].join("\n"),
  async run(args) {
    const options = { ...CONTROL_OPTIONS, for: { type: "string" } } as const;
    const { values, positionals } = readArguments(args, options, true);
    const target = controlTarget(values);
    const body = {
      ...(positionals.length > 0 && { services: positionals }),
      ...(values.for !== undefined && { for_ms: readDuration(values.for) }),
      by: whoAmI(),
    };
    printSwitching(await command<Switching>(target, { method: "POST", path: "/v1/offline", body }));
    return 0;
  },
};

function readDuration(text: string): number {
  const duration = parseDuration(text);
  if (duration === undefined || duration === 0) {
    throw new UsageError(
      `--for: expected a duration such as 90s, 30m or 2h, at most 576h, got ${JSON.stringify(text)}`,
    );
  }
  return duration;
}
