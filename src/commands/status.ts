/** `pfxbridge status`: how a running bridge and its services stand. */

import { askControl } from "../control/client.ts";
import type { Status } from "../control/controls.ts";
import { checkStatus, MONITORING, type Verdict, verdict } from "../control/status-check.ts";
import { statusText } from "../control/status-text.ts";
import { safeJson } from "../text/quote.ts";
import { type Command, readArguments } from "./command.ts";
import { CONTROL_HELP, CONTROL_OPTIONS, command, controlTarget } from "./control-target.ts";

const OPTIONS = {
  ...CONTROL_OPTIONS,
  json: { type: "boolean", default: false },
  check: { type: "boolean", default: false },
} as const;
/** Monitoring gives a check ten seconds; in milliseconds. */
const PATIENCE_OF_MONITORING = 8_000;

export const status: Command = {
  help: [
    "Usage: pfxbridge status [--json | --check]",
    "",
    "Shows how the running bridge and its services stand: what is down, since when,",
    "what is answered now, what to do.",
    "",
    "      --json             for machines",
    "      --check            for monitoring: one line, and an exit status as plugins",
    "                         of Nagios, Icinga and the like have it",
    ...CONTROL_HELP,
    "",
    "Exit status: 0 the bridge answers, whatever it says of services; 1 it does not.",
    "With --check: 0 all is well; 1 something is to be looked at: a service fails or",
    "is offline, a reload was refused, a store complains; 2 a service is down, or no",
    "bridge answers; 3 it could not be found out.",
  ].join("\n"),
  async run(args) {
    // A wrong use must not be taken for a service that is down.
    if (args.includes("--check")) {
      const { level, line } = await check(args).catch((error: Error) => verdict("UNKNOWN", error.message));
      console.log(line);
      return MONITORING[level];
    }
    const { values } = readArguments(args, OPTIONS);
    const found = await command<Status>(controlTarget(values), { method: "GET", path: "/v1/status" });
    console.log(values.json ? safeJson(JSON.stringify(found, null, 2)) : statusText(found, Date.now()));
    return 0;
  },
};

async function check(args: readonly string[]): Promise<Verdict> {
  const { values } = readArguments(args, OPTIONS);
  const request = { method: "GET", path: "/v1/status", patience: PATIENCE_OF_MONITORING } as const;
  const found = await askControl(controlTarget(values), request);
  if (!("problem" in found)) return checkStatus(found as Status, Date.now());
  return verdict("absent" in found ? "CRITICAL" : "UNKNOWN", String(found.problem));
}
