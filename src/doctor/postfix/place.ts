/**
 * Where a check_policy_service stands in its list: what stands before it decides which mail it gets to see, and what stands
 * after it what an OK means.
 */
import { networkInterfaces } from "node:os";
import type { Config } from "../../config/config.ts";
import { parseNetwork } from "../../expression/network.ts";
import { verbOf } from "../../model/action.ts";
import { isLoopback } from "../../model/loopback.ts";
import { amiss, type Finding, note, well } from "../finding.ts";
import type { OwnUse } from "./endpoints.ts";
import { wordsOf } from "./restrictions.ts";

/** End a list for everybody. */
const ENDS: ReadonlySet<string> = new Set(["permit", "reject", "defer"]);
/** Refuse what is neither for this system nor from who may relay. */
const REFUSES_RELAYING: ReadonlySet<string> = new Set([
  "reject_unauth_destination",
  "defer_unauth_destination",
  "reject",
  "defer",
]);

export function checkPlace(use: OwnUse, config: Config): Finding[] {
  const found = [...whatIsNotSeen(use, config), ...whatOkMeans(use, config)];
  return found.length > 0 ? found : [well(use.place, "the bridge is asked where it can decide")];
}

function* whatIsNotSeen({ place, before, after, smtpd }: OwnUse, config: Config): Generator<Finding> {
  const end = before.find((word) => ENDS.has(word));
  if (end !== undefined) {
    yield amiss(
      place,
      `the bridge is never asked: \`${end}\` before check_policy_service ends the list`,
      `move check_policy_service before \`${end}\``,
    );
    return;
  }
  if (before.includes("permit_sasl_authenticated") && smtpd.value("smtpd_sasl_auth_enable") === "yes") {
    const routes = routesThatRead(config, "sasl_username");
    const message =
      "permit_sasl_authenticated stands before it, so that it never sees the mail of users who logged in";
    const mend = "move check_policy_service before permit_sasl_authenticated";
    // Who did not log in is refused anyway: then it is there for nobody.
    if (after.includes("reject") || routes.length > 0) {
      const why =
        routes.length > 0 ? `, and route ${routes.join(", ")} is for these` : ", and the others are refused";
      yield amiss(place, message + why, mend);
    } else {
      yield note(place, `${message}; where it is for these too, ${mend}`);
    }
  }
  if (before.includes("permit_mynetworks")) yield* ofOwnNetworks(place, smtpd.value("mynetworks"), config);
}

function* ofOwnNetworks(place: string, mynetworks: string, config: Config): Generator<Finding> {
  const others = mynetworks.split(/[\s,]+/).filter((text) => text !== "" && !isThisMachine(text));
  const networks = mynetworks
    .split(/[\s,]+/)
    .flatMap((text) => parseNetwork(text.replace(/[[\]]/g, "")) ?? []);
  const inside = (cidr: string) => networks.some((network) => network(cidr.split("/")[0] ?? ""));
  const routes = config.routes.flatMap(({ number, when }) => {
    const named = [...(when?.text ?? "").matchAll(/ip_in\(\s*client_address\s*,\s*["']([^"']+)["']\s*\)/g)];
    return named.some(([, cidr = ""]) => inside(cidr)) ? [number] : [];
  });
  const message = "permit_mynetworks stands before it, so that it never sees the mail of your own networks";
  const mend = "move check_policy_service before permit_mynetworks, or take the networks out of mynetworks";
  if (routes.length > 0) yield amiss(place, `${message}, and route ${routes.join(", ")} is for these`, mend);
  else if (others.length > 0) {
    yield note(place, `${message} (${others.join(" ").slice(0, 200)}); where it is for these too, ${mend}`);
  }
}

/** Loopback, or one of its own addresses: what Postfix has there by default. */
function isThisMachine(network: string): boolean {
  const [address = "", prefix] = network.replace(/[[\]]/g, "").split("/");
  if (isLoopback(address)) return true;
  if (prefix !== undefined && prefix !== "32" && prefix !== "128") return false;
  return Object.values(networkInterfaces()).some((own) => own?.some((each) => each.address === address));
}

function routesThatRead({ routes }: Config, attribute: string): number[] {
  return routes.flatMap(({ number, when }) => (when?.names.has(attribute) ? [number] : []));
}

/** In the relay list an OK relays; elsewhere it does only where nothing else refuses relaying. */
function* whatOkMeans({ place, list, before, after, smtpd }: OwnUse, config: Config): Generator<Finding> {
  if (list !== "smtpd_relay_restrictions" && list !== "smtpd_recipient_restrictions") return;
  if (before.some((word) => REFUSES_RELAYING.has(word))) return;
  const granting = whoSaysOk(config);
  if (granting.length === 0) return;
  const refusesLater = after.some((word) => REFUSES_RELAYING.has(word));
  const relay = wordsOf(smtpd, "smtpd_relay_restrictions");
  if (list === "smtpd_recipient_restrictions") {
    if (relay.some((word) => REFUSES_RELAYING.has(word))) return;
    yield amiss(
      place,
      `${granting.join(", ")} can say OK before reject_unauth_destination, and smtpd_relay_restrictions refuses nobody: an OK relays to anywhere`,
      "put reject_unauth_destination before check_policy_service, or, where the service is to grant relaying, check_policy_service into smtpd_relay_restrictions",
    );
    return;
  }
  const gates = granting.filter((who) => !who.startsWith("the mapping"));
  if (gates.length > 0) {
    yield amiss(
      place,
      `${gates.join(", ")} says OK before reject_unauth_destination: that relays for everybody, an open relay`,
      "let it say DUNNO, or use fail-closed; or put reject_unauth_destination before check_policy_service",
    );
  }
  if (!refusesLater) {
    yield amiss(
      place,
      "nothing after check_policy_service refuses relaying: whoever the service does not know may relay",
      "put reject_unauth_destination after it",
    );
  }
}

/** What can answer OK: mappings that grant, routes, on_failure. */
function whoSaysOk({ services, routes }: Config): string[] {
  const says = (text: string | undefined) => ["OK", "RELAY"].includes(verbOf(text ?? ""));
  const mappings = [...services.values()].flatMap(({ name, mapping }) =>
    mapping.grants ? [`the mapping ${mapping.name} of ${name}`] : [],
  );
  const others = routes.flatMap(({ number, target }) => {
    if ("action" in target) return says(target.action) ? [`route ${number}`] : [];
    const { onFailure } = target;
    return Object.values(onFailure).some((answer) => says(answer?.join("")))
      ? [`on_failure of ${target.service}`]
      : [];
  });
  return [...new Set([...mappings, ...others])];
}
