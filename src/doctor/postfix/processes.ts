/** Whether the bridge may have as many files open as Postfix has processes that connect to it. */
import type { Config } from "../../config/config.ts";
import { openFiles } from "../../postfix/descriptors.ts";
import { amiss, type Finding, note, well } from "../finding.ts";
import type { OwnUse } from "./endpoints.ts";
import type { PostfixConfig } from "./postconf.ts";

/** For the log, stores and the like, as src/postfix/descriptors.ts keeps them back. */
const KEPT_BACK = 64;
/** Calls that `max_in_flight: auto` may come to. */
const AUTO = 1000;

/** @param pid of the running bridge; undefined: what this process may have is all that is known */
export function checkProcesses(
  { value }: PostfixConfig,
  uses: readonly OwnUse[],
  config: Config,
  pid: number | undefined,
): Finding[] {
  const services = new Set(uses.map(({ smtpd }) => smtpd));
  let connections = 0;
  for (const smtpd of services) {
    const { name, maxProcesses } = smtpd;
    const own = uses.filter((use) => use.smtpd === smtpd);
    const limit = maxProcesses ?? Number(value("default_process_limit"));
    if (!(limit > 0))
      return [note("Postfix", `${name} may have any number of processes, each with a connection`)];
    connections += limit * new Set(own.map(({ endpoint, listener }) => endpoint + listener.name)).size;
  }
  const calls = [...config.services.values()].map(({ maxInFlight }) =>
    maxInFlight === "auto" ? AUTO : maxInFlight,
  );
  const needed = Math.ceil(connections / config.workers) + calls.reduce((sum, each) => sum + each, KEPT_BACK);
  const ofBridge = pid === undefined ? Number.POSITIVE_INFINITY : openFiles(`/proc/${pid}/limits`);
  const isKnown = Number.isFinite(ofBridge);
  const files = isKnown ? ofBridge : openFiles();
  const of = isKnown ? "the bridge" : "a process started here";
  const message = `up to ${connections} connections of Postfix and all calls need ${needed} open files; ${of} may have ${files}`;
  if (files >= needed) return [well("Postfix", message)];
  const mend = `set LimitNOFILE=${2 ** Math.ceil(Math.log2(needed))} in the unit (or ulimit -n), or a smaller default_process_limit`;
  return [
    !isKnown
      ? note("Postfix", `${message}; where the bridge has no more, ${mend}`)
      : amiss("Postfix", message, mend),
  ];
}
