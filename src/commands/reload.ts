/** `pfxbridge reload`: a running bridge loads its configuration again, and one hears what came of it. */
import type { ReloadOutcome } from "../control/controls.ts";
import { visible } from "../text/visible.ts";
import { type Command, readArguments } from "./command.ts";
import { CONTROL_HELP, CONTROL_OPTIONS, command, controlTarget, whoAmI } from "./control-target.ts";

/** Each worker loads its modules, one after the other; in milliseconds. */
const PATIENCE = 600_000;

export const reload: Command = {
  help: [
    "Usage: pfxbridge reload",
    "",
    "Has a running bridge load its configuration and mappings again and open its log",
    "file anew, as SIGHUP does, waits for it, and says what came of it. A",
    "configuration with a mistake is refused, and the old one stays in use.",
    "",
    ...CONTROL_HELP,
    "",
    "Exit status: 0 the new configuration is in use, 1 it was refused.",
  ].join("\n"),
  async run(args) {
    const { values } = readArguments(args, CONTROL_OPTIONS);
    const body = { by: whoAmI() };
    const request = { method: "POST", path: "/v1/reload", body, patience: PATIENCE } as const;
    const { loaded, problems } = await command<ReloadOutcome>(controlTarget(values), request);
    for (const problem of problems) console.log(visible(problem));
    if (loaded) console.log("the configuration was loaded again and is in use");
    else console.error("pfxbridge: the configuration was refused; the one before it stays in use");
    return loaded ? 0 : 1;
  },
};
