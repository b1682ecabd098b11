/** `pfxbridge status`: how a running bridge and its services stand. */
import type { Status } from "../control/controls.ts";
import { statusText } from "../control/status-text.ts";
import { safeJson } from "../text/quote.ts";
import { type Command, readArguments } from "./command.ts";
import { CONTROL_HELP, CONTROL_OPTIONS, command, controlTarget } from "./control-target.ts";

export const status: Command = {
  help: [
    "Usage: pfxbridge status [--json]",
    "",
    "Shows how the running bridge and its services stand: what is down, since when,",
    "what is answered now, what to do.",
    "",
    "      --json             for machines",
    ...CONTROL_HELP,
    "",
    "Exit status: 0 the bridge answers, whatever it says of services; 1 it does not.",
  ].join("\n"),
  async run(args) {
    const options = { ...CONTROL_OPTIONS, json: { type: "boolean", default: false } } as const;
    const { values } = readArguments(args, options);
    const found = await command<Status>(controlTarget(values), { method: "GET", path: "/v1/status" });
    console.log(values.json ? safeJson(JSON.stringify(found, null, 2)) : statusText(found, Date.now()));
    return 0;
  },
};
