/** Which service answers a request: the first route that matches. */

import type { OnFailure } from "../config/on-failure.ts";
import type { Condition } from "../expression/expression.ts";
import type { Variables } from "../expression/variables.ts";
import type { Failure } from "../model/failure.ts";
import type { Service } from "./service.ts";

/** One entry of `routes`, ready to be tried. The last has no condition. */
export interface Route {
  /** Its place in the configuration, from 1. */
  readonly number: number;
  readonly when: Condition | null;
  readonly target: { readonly action: string } | { readonly service: Service; readonly onFailure: OnFailure };
}

/**
 * Gives the first route that matches.
 *
 * A condition that cannot be evaluated ends the reading: going on could take a request to a route
 * that was never meant for it.
 */
export function matchRoute(
  routes: readonly Route[],
  variables: Variables,
): Route | (Failure & { route: Route }) {
  for (const route of routes) {
    if (route.when === null) return route;
    const matched = route.when.test(variables);
    if (matched === true) return route;
    if (matched !== false) {
      const detail = `route ${route.number}: its "when" cannot be evaluated: ${matched.message}`;
      return { cause: "mapping_error", detail, route };
    }
  }
  // The configuration is refused where the last route has a condition.
  throw new Error("no route matches");
}
