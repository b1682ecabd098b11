/** Whether Postfix waits for the bridge as long as it may take, and what it does when there is no bridge. */

import { longestDeadline } from "../../bridge/grace.ts";
import type { Config } from "../../config/config.ts";
import { formatDuration } from "../../config/duration.ts";
import { answerTo } from "../../config/on-failure.ts";
import { isReplyCode, verbOf } from "../../model/action.ts";
import { amiss, type Finding, well } from "../finding.ts";
import type { OwnUse } from "./endpoints.ts";
import { postfixTime } from "./postconf.ts";

export function checkTimes(use: OwnUse, config: Config): Finding[] {
  const deadline = longestDeadline(config);
  const text = use.setting("timeout");
  const timeout = postfixTime(text);
  if (timeout === undefined)
    return [amiss(use.place, `timeout=${text} is no time`, "write it as in timeout=10s")];
  const enough = Math.ceil((deadline + 1000) / 1000);
  return timeout > deadline
    ? [well(use.place, `Postfix waits ${text}, longer than the deadline (${formatDuration(deadline)})`)]
    : [
        amiss(
          use.place,
          `Postfix waits ${text}, and the deadline is ${formatDuration(deadline)}: it gives up, and asks again, before the bridge answers`,
          `set timeout=${enough}s in check_policy_service { … } (or smtpd_policy_service_timeout), or a shorter deadline`,
        ),
      ];
}

/** Verbs with which mail goes on. */
const PASSES: ReadonlySet<string> = new Set([
  "DUNNO",
  "OK",
  "RELAY",
  "PREPEND",
  "WARN",
  "INFO",
  "BCC",
  "FILTER",
]);

export function checkDefaultAction(use: OwnUse, config: Config): Finding[] {
  const action = use.setting("default_action");
  const verb = verbOf(action);
  if (isReplyCode(verb) || !PASSES.has(verb.toUpperCase())) return [];
  const mend = "set default_action = DEFER 4.3.0 Try again later there, or leave it out (451)";
  const closed = config.routes.flatMap(({ target }) => {
    if ("action" in target) return [];
    const answer = answerTo(target.onFailure, { cause: "unreachable" }, null);
    return answer !== null && !PASSES.has(verbOf(answer)) ? [target.service] : [];
  });
  if (closed.length === 0) return [];
  const names = [...new Set(closed)].join(", ");
  return [
    amiss(
      use.place,
      `while the bridge is down Postfix answers ${action} (default_action), which opens what on_failure of ${names} closes`,
      `${mend}; or open it in on_failure too`,
    ),
  ];
}
