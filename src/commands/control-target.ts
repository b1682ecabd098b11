/** Which running bridge a command speaks to, and as whom: the arguments that all such commands have in common. */
import { readFileSync, readlinkSync } from "node:fs";
import { userInfo } from "node:os";
import { loadControl } from "../config/control.ts";
import { findConfig } from "../config/find.ts";
import { Secret } from "../config/secret.ts";
import { askControl, type ControlRequest, type ControlTarget } from "../control/client.ts";
import type { Refusal } from "../control/controls.ts";
import { parseEndpoint } from "../postfix/endpoint.ts";
import { UsageError } from "./command.ts";

export const CONTROL_OPTIONS = {
  config: { type: "string", short: "c" },
  control: { type: "string" },
  "token-file": { type: "string" },
} as const;

export const CONTROL_HELP = [
  "  -c, --config FILE      find the bridge by `control` of its configuration;",
  "                         default ./pfxbridge.yaml (not as root), then",
  "                         /etc/pfxbridge/pfxbridge.yaml",
  "      --control ENDPOINT find it there: unix:/path or inet:host:port",
  "      --token-file FILE  show the token in this file",
];

interface ControlValues {
  readonly config?: string | undefined;
  readonly control?: string | undefined;
  readonly "token-file"?: string | undefined;
}

/** The bridge that is meant. @throws UsageError, ProblemError, or Error where the configuration has no `control` */
export function controlTarget(values: ControlValues): ControlTarget {
  const { config: named, control: place, "token-file": tokenFile } = values;
  const token = tokenFile === undefined ? undefined : new Secret(readToken(tokenFile));
  if (place !== undefined) {
    const endpoint = parseEndpoint(place);
    if ("problem" in endpoint) throw new UsageError(`--control: ${endpoint.problem}`);
    return token === undefined ? { endpoint } : { endpoint, token };
  }
  const file = findConfig(named);
  const control = loadControl(file);
  if (control === undefined) {
    throw new Error(
      `${file} has no "control", so a running bridge takes no commands; add control: unix:/run/pfxbridge/control and restart it`,
    );
  }
  return token === undefined ? control : { ...control, token };
}

/** Asks the bridge. @throws Error with what it, or the system, has to say */
export async function command<T extends object>(target: ControlTarget, request: ControlRequest): Promise<T> {
  return orFail(await askControl(target, request)) as T;
}

/** @throws Error where something was refused */
export function orFail<T extends object>(result: T | Refusal): T {
  if ("problem" in result) throw new Error(result.problem);
  return result;
}

/**
 * Who gives the command, for the log, as far as this process knows: the user, who became it by sudo, and from where.
 * Nobody checks it.
 */
export function whoAmI(): string {
  const sudo = process.env.SUDO_USER ? ` (sudo by ${process.env.SUDO_USER})` : "";
  return `${userName()}${sudo}${terminal()}`.slice(0, 200);
}

function terminal(): string {
  if (!process.stdin.isTTY) return "";
  try {
    return ` on ${readlinkSync("/proc/self/fd/0").replace("/dev/", "")}`;
  } catch {
    return "";
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.geteuid?.()}`;
  }
}

function readToken(file: string): string {
  try {
    return readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw new Error(`--token-file: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
