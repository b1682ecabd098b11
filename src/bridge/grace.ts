/** How long the end of the bridge may take. */
import type { Config } from "../config/config.ts";
import { LAST_LINES } from "../observe/log.ts";

/** What answers in flight may take beyond their deadline when the bridge ends, in milliseconds. */
export const GRACE = 500;
/** What a worker may take beyond that, for its log's last lines and to end, in milliseconds. */
export const END_TIME = LAST_LINES + 500;

/** In milliseconds. */
export function longestDeadline(config: Config): number {
  const services = [...config.services.values()];
  return Math.max(0, ...services.flatMap(({ deadline, stressDeadline }) => [deadline, stressDeadline]));
}
