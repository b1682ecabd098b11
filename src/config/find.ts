/** Which configuration file is meant. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { runsAsRoot } from "../files/hands.ts";
import { ProblemError } from "../source/problem.ts";

const HERE = "pfxbridge.yaml";
const SYSTEM = "/etc/pfxbridge/pfxbridge.yaml";

/**
 * The absolute path of the configuration: the one named with `-c`, else ./pfxbridge.yaml, else
 * /etc/pfxbridge/pfxbridge.yaml. As root, what happens to lie in the working directory is not used.
 *
 * @throws ProblemError when none is named and none is there
 */
export function findConfig(named?: string, root: boolean = runsAsRoot()): string {
  if (named !== undefined) return resolve(named);
  const here = resolve(HERE);
  const candidates = root ? [SYSTEM] : [here, SYSTEM];
  const found = candidates.find((file) => existsSync(file));
  if (found !== undefined) return found;
  const message =
    passedOverAsRoot(root) !== undefined
      ? `does not exist; as root a configuration in the working directory is used only when named: -c ${HERE}`
      : `${root ? "does not exist" : "does not exist, nor does ./pfxbridge.yaml"}; name a configuration with -c FILE`;
  throw new ProblemError([{ file: SYSTEM, message, severity: "error" }]);
}

/** The configuration in the working directory that root does not use unless it is named; undefined where none is passed over. */
export function passedOverAsRoot(root: boolean = runsAsRoot()): string | undefined {
  const here = resolve(HERE);
  return root && existsSync(here) ? here : undefined;
}
