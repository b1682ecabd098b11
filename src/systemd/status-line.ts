/** How the bridge stands in one line, for `systemctl status`: `2 services, corp: circuit open since 14:02:31`. */
import type { EngineStatus, ServiceStatus } from "../bridge/status.ts";
import { at } from "../control/status-text.ts";
import { visible } from "../text/visible.ts";

/** More services than these are counted. */
const MOST_NAMED = 5;

/**
 * The line.
 *
 * @param now milliseconds since 1970
 */
export function statusLine({ services, workers }: EngineStatus, now: number): string {
  const troubles = services.flatMap((service) => {
    const trouble = troubleOf(service, now);
    return trouble === undefined ? [] : [`${service.name}: ${trouble}`];
  });
  const silent = workers?.filter(({ answers }) => !answers).length ?? 0;
  const parts = [
    `${services.length} ${services.length === 1 ? "service" : "services"}`,
    ...(workers === undefined ? [] : [`${workers.length} workers`]),
    ...(silent === 0 ? [] : [`${silent} of them not answering`]),
    ...troubles.slice(0, MOST_NAMED),
    ...(troubles.length > MOST_NAMED ? [`${troubles.length - MOST_NAMED} more in trouble`] : []),
  ];
  return visible(parts.join(", "));
}

function troubleOf({ mode, offline, trouble, circuits, failure }: ServiceStatus, now: number) {
  if (mode === "offline") {
    return offline?.since === undefined ? "offline" : `offline by hand since ${at(offline.since, now)}`;
  }
  switch (trouble) {
    case "circuits":
    case "some_circuits": {
      const open = circuits.filter(({ state }) => state !== "closed");
      const since = open.flatMap(({ open_since }) => open_since ?? []).sort()[0];
      const which =
        circuits.length === 1 ? "circuit open" : `${open.length} of ${circuits.length} circuits open`;
      return since === undefined ? which : `${which} since ${at(since, now)}`;
    }
    case "failing":
      return failure === null ? "failing" : `failing since ${at(failure.at, now)} (${failure.cause})`;
    default:
      return undefined;
  }
}
