/**
 * Where on_failure would let mail pass for a failure that its sender can bring about. What `check` can tell: whether a stranger
 * is answered by it, for which causes, and whether one of them is enough to bring them about for everybody.
 */

import { verbOf } from "../model/action.ts";
import type { Cause } from "../model/failure.ts";
import type { Path } from "../source/position.ts";
import { countedOfOne } from "../upstream/limits/circuit.ts";
import type { RouteConfig, ServiceConfig } from "./config.ts";
import { answerTo, type OnFailure } from "./on-failure.ts";
import type { Report } from "./report.ts";
import type { RawConfig } from "./schema.ts";

const BY_ONE_REQUEST: readonly Cause[] = ["timeout", "http_4xx", "http_5xx", "bad_reply", "mapping_error"];
const FOR_EVERYBODY: readonly Cause[] = ["circuit_open", "overload"];

/** Actions that don't keep mail out. */
const PASS: ReadonlySet<string> = new Set([
  "DUNNO",
  "OK",
  "RELAY",
  "PREPEND",
  "WARN",
  "INFO",
  "BCC",
  "FILTER",
]);

/** A condition on one of these may know whom it lets in; the others a stranger can choose. */
const KNOWN = [
  "client_address",
  "sasl_username",
  "ccert_subject",
  "ccert_issuer",
  "server_address",
  "server_port",
  "policy_context",
  "listener",
];

export function warnOfProvoked(
  raw: RawConfig,
  services: ReadonlyMap<string, ServiceConfig>,
  routes: readonly RouteConfig[],
  report: Report,
): void {
  const warned = new Set<string>();
  for (const { number, when, target } of routes) {
    if ("action" in target || KNOWN.some((name) => when?.names.has(name))) continue;
    const index = number - 1;
    const own = raw.routes?.[index]?.on_failure !== undefined;
    const path = own ? ["routes", index, "on_failure"] : ["services", target.service, "on_failure"];
    if (warned.has(path.join())) continue;
    warned.add(path.join());
    warnOfOne(target.onFailure, path, report);
    const service = services.get(target.service);
    if (service !== undefined) warnOfAll(service, target.onFailure, path, report);
  }
}

function warnOfOne(onFailure: OnFailure, path: Path, report: Report): void {
  const causes = BY_ONE_REQUEST.filter((cause) => lets(onFailure, cause));
  if (causes.length === 0) return;
  const table = causes.map((cause) => `${cause}: fail-closed`);
  if (lets(onFailure, "unreachable")) table.push("default: fail-open");
  report.warn(
    path,
    `who finds a request that the service fails on brings about ${causes.join(" or ")} and passes; close them for strangers ({ ${table.join(", ")} }), or let a route's when say who is known (client_address, sasl_username)`,
  );
}

function warnOfAll(service: ServiceConfig, onFailure: OnFailure, path: Path, report: Report): void {
  const causes = FOR_EVERYBODY.filter((cause) => lets(onFailure, cause));
  if (causes.length === 0) return;
  if (service.fair === false) {
    report.warn(
      path,
      `with fair: false one sender can bring about ${causes.join(" and ")} for everybody, and everybody passes`,
    );
  } else if (causes.includes("circuit_open") && isOpenedByOne(service)) {
    report.warn(
      path,
      `with breaker.minimum_calls: ${service.breaker.minimumCalls} and failure_rate: ${service.breaker.failureRate} one sender's failure opens the circuit for everybody, and everybody passes`,
    );
  }
}

function isOpenedByOne({ breaker }: ServiceConfig): boolean {
  return (breaker.failureRate / 100) * breaker.minimumCalls <= countedOfOne(breaker);
}

function lets(onFailure: OnFailure, cause: Cause): boolean {
  const action = answerTo(onFailure, { cause }, null);
  return action !== null && PASS.has(verbOf(action));
}
