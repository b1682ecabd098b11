/** `pfxbridge online`: a running bridge makes calls again. */
import type { Switching } from "../control/controls.ts";
import { type Command, readArguments } from "./command.ts";
import { CONTROL_HELP, CONTROL_OPTIONS, command, controlTarget, whoAmI } from "./control-target.ts";
import { printSwitching } from "./switching.ts";

export const online: Command = {
  help: [
    "Usage: pfxbridge online [SERVICE …]",
    "",
    "Takes back what `pfxbridge offline` did, for these services or for all. What the",
    "configuration keeps offline stays so.",
    "",
    ...CONTROL_HELP,
  ].join("\n"),
  async run(args) {
    const { values, positionals } = readArguments(args, CONTROL_OPTIONS, true);
    const target = controlTarget(values);
    const body = { ...(positionals.length > 0 && { services: positionals }), by: whoAmI() };
    printSwitching(await command<Switching>(target, { method: "POST", path: "/v1/online", body }));
    return 0;
  },
};
