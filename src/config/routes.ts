/** `routes`: which service, or which action, answers what. Conditions are compiled here, once. */
import { refusingPart } from "../expression/all-recipients.ts";
import { type Condition, compileCondition, ExpressionError } from "../expression/expression.ts";
import { createScope } from "../expression/scope.ts";
import type { Path } from "../source/position.ts";
import { suggestion } from "../text/nearest.ts";
import { readAction } from "./action.ts";
import type { RouteConfig } from "./config.ts";
import { readOnFailure } from "./on-failure.ts";
import type { Report } from "./report.ts";
import type { RawRoute } from "./schema.ts";
import type { RoutableService } from "./services.ts";

type Services = ReadonlyMap<string, RoutableService>;

export function readRoutes(
  raw: readonly RawRoute[] | undefined,
  services: Services,
  report: Report,
): readonly RouteConfig[] {
  if (raw === undefined) return routeToOnlyService(services, report);
  const routes = raw.flatMap((route, index) => readRoute(route, index, services, report));
  checkOrder(raw, report);
  for (const name of services.keys()) {
    if (!raw.some((route) => route.service === name)) {
      report.warn(["services", name], `no route leads to the service "${name}"`, { key: true });
    }
  }
  return routes;
}

function routeToOnlyService(services: Services, report: Report): readonly RouteConfig[] {
  const [only, ...others] = services.values();
  if (only === undefined) {
    report.error(
      [],
      'there is neither a service nor a route; name the authorization service under "services"',
    );
    return [];
  }
  if (others.length > 0) {
    const names = [...services.keys()].join(", ");
    report.error(["services"], `with several services (${names}), "routes" must say which is asked when`, {
      key: true,
    });
  }
  return [{ number: 1, when: null, target: { service: only.name, onFailure: only.onFailure } }];
}

/** Mail that no route matches would have no answer, and a route that is never reached is a mistake. */
function checkOrder(raw: readonly RawRoute[], report: Report): void {
  const last = raw.length - 1;
  if (raw[last]?.when !== undefined) {
    report.error(
      ["routes", last, "when"],
      'the last route has no "when", or mail that matches none would have no answer; add one such as `- action: DUNNO`',
      { key: true },
    );
  }
  const open = raw.findIndex(({ when }) => when === undefined);
  if (open !== -1 && open < last) {
    report.error(
      ["routes", open + 1],
      `this route is never reached: route ${open + 1}, before it, has no "when" and matches everything`,
    );
  }
}

function readRoute(raw: RawRoute, index: number, services: Services, report: Report): readonly RouteConfig[] {
  const path = ["routes", index] as const;
  const when = raw.when === undefined ? null : readCondition(raw.when, [...path, "when"], report);
  const target = readTarget(raw, path, services, report);
  return when === undefined || target === undefined ? [] : [{ number: index + 1, when, target }];
}

function readTarget(
  raw: RawRoute,
  path: Path,
  services: Services,
  report: Report,
): RouteConfig["target"] | undefined {
  if ((raw.service === undefined) === (raw.action === undefined)) {
    report.error(path, 'a route has either "service" or "action"');
    return undefined;
  }
  const onFailure =
    raw.on_failure === undefined ? undefined : readOnFailure(raw.on_failure, [...path, "on_failure"], report);
  if (raw.action !== undefined) {
    if (raw.on_failure !== undefined) {
      report.error(
        [...path, "on_failure"],
        "a route that answers by itself cannot fail; leave on_failure out",
        {
          key: true,
        },
      );
    }
    const action = readAction(raw.action);
    if (!("problem" in action)) return action;
    report.error([...path, "action"], action.problem);
    return undefined;
  }
  const service = services.get(raw.service ?? "");
  if (service === undefined) {
    const known = [...services.keys()];
    const hint = suggestion(raw.service ?? "", known) || `; there is ${known.join(", ") || "none"}`;
    report.error([...path, "service"], `there is no service "${raw.service}"${hint}`);
    return undefined;
  }
  return { service: service.name, onFailure: onFailure ?? service.onFailure };
}

/** Undefined, and a problem in the report, when the text is no condition. */
function readCondition(text: string, path: Path, report: Report): Condition | undefined {
  try {
    return refusingPart(compileCondition(text, createScope("request", [])));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    report.error(path, error.message, { offset: error.offset });
    return undefined;
  }
}
