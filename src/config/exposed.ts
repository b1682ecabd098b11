/**
 * What a configuration says in so many words and hardly anybody means: an outage that makes an open relay, or bounces mail
 * where the service grants relaying. Each warning says how to mend it, and how to say that it is meant: then there is none.
 */
import { verbOf } from "../model/action.ts";
import type { Path } from "../source/position.ts";
import type { RouteConfig, ServiceConfig } from "./config.ts";
import type { Report } from "./report.ts";
import type { RawConfig, RawOnFailure } from "./schema.ts";

const IF_MEANT = "if you mean it, say so by cause, as in { unreachable: %, timeout: % }";

export function warnOfExposed(
  raw: RawConfig,
  services: ReadonlyMap<string, ServiceConfig>,
  routes: readonly RouteConfig[],
  report: Report,
): void {
  const warned = new Set<string>();
  for (const { number, target } of routes) {
    if ("action" in target) continue;
    const own = raw.routes?.[number - 1]?.on_failure;
    const path =
      own === undefined ? ["services", target.service, "on_failure"] : ["routes", number - 1, "on_failure"];
    const text = own ?? raw.services[target.service]?.on_failure ?? "";
    const service = services.get(target.service);
    if (warned.has(path.join())) continue;
    warned.add(path.join());
    warnOfOutage(text, service, path, report);
  }
}

/** Where a table names a cause, it is meant; one word for all of them may not be. */
function warnOfOutage(
  raw: RawOnFailure,
  service: ServiceConfig | undefined,
  path: Path,
  report: Report,
): void {
  const text = typeof raw === "string" ? raw : (raw.default ?? "");
  const place = typeof raw === "string" ? path : [...path, "default"];
  const verb = text === "fail-open" ? "DUNNO" : verbOf(text);
  const meant = `; ${IF_MEANT.replaceAll("%", text)}`;
  if (verb === "OK" || verb === "RELAY") {
    report.warn(
      place,
      `during an outage ${verb} takes everybody's mail: in smtpd_relay_restrictions that is an open relay, elsewhere it skips the restrictions that follow; use fail-closed${meant}`,
    );
  } else if ((verb === "DUNNO" || verb === "DEFER_IF_PERMIT") && service?.mapping.grants) {
    report.warn(
      place,
      `the mapping ${service.mapping.name} grants relaying (it says OK), and where a grant stands, before reject_unauth_destination, ${text} bounces mail (554) during an outage; use fail-closed${meant}`,
    );
  }
}
