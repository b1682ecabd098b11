/** All that Postfix's own configuration tells: one piece for each kind of mistake, in the files beside this one. */
import type { Config } from "../../config/config.ts";
import { amiss, distinct, type Finding, note, well } from "../finding.ts";
import { ownUses } from "./endpoints.ts";
import { checkPlace } from "./place.ts";
import { readPostfix } from "./postconf.ts";
import { checkProcesses } from "./processes.ts";
import { policyUses } from "./restrictions.ts";
import { checkSocket, checkStrangers } from "./sockets.ts";
import { checkDefaultAction, checkTimes } from "./times.ts";

/**
 * @param folder that of main.cf; undefined: Postfix's own
 * @param pid of the running bridge, where it is known
 */
export async function checkPostfix(
  config: Config,
  folder: string | undefined,
  pid: number | undefined,
): Promise<Finding[]> {
  const strangers = config.listeners.flatMap(checkStrangers);
  const postfix = await readPostfix(folder);
  if ("problem" in postfix) {
    const message = `its configuration cannot be read: ${postfix.problem}`;
    return [
      ...strangers,
      postfix.absent && folder === undefined
        ? note("Postfix", `${message}; run doctor where Postfix is`)
        : amiss(
            "Postfix",
            message,
            "name the folder of main.cf with --postfix DIR, and see that this user can read it",
          ),
    ];
  }
  if (postfix.smtpd.length === 0) {
    return [
      ...strangers,
      amiss(
        "Postfix",
        `no service of ${postfix.folder}/master.cf is an smtpd`,
        "name another folder with --postfix DIR",
      ),
    ];
  }
  const { own, findings } = ownUses(postfix.smtpd.flatMap(policyUses), config.listeners);
  const ofUses = own.flatMap((use) => [
    ...checkPlace(use, config),
    ...checkTimes(use, config),
    ...checkDefaultAction(use, config),
  ]);
  const sockets = await Promise.all(
    config.listeners.map((listener) => checkSocket(listener, postfix.value("mail_owner"))),
  );
  return distinct([
    well("Postfix", `${postfix.folder}: ${postfix.smtpd.map(({ name }) => name).join(", ")}`),
    ...strangers,
    ...findings,
    ...ofUses,
    ...sockets.flat(),
    ...(own.length > 0 ? checkProcesses(postfix, own, config, pid) : []),
  ]);
}
