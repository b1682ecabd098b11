/**
 * Who is one asker, where no asker may use up what is there for all (`fair`): a client by its address, which Postfix vouches
 * for, or a user who has logged in.
 */
import type { FairBy } from "../config/config.ts";
import { siteOf } from "../expression/network.ts";
import { attribute, type PolicyRequest } from "../model/request.ts";

export interface Fairness {
  /** Who has a share of the slots; empty where nobody is told from others. */
  subjectOf(request: PolicyRequest): string;
  /** All who have a failure put down to them. */
  blamedOf(request: PolicyRequest): readonly string[];
}

export function fairness(by: FairBy | false): Fairness {
  switch (by) {
    case false:
      return { subjectOf: () => "", blamedOf: () => [] };
    case "client_address":
      return { subjectOf: client, blamedOf: (request) => [client(request), user(request)].filter(isKnown) };
    case "sasl_username": {
      const subjectOf = (request: PolicyRequest) => user(request) || client(request);
      return { subjectOf, blamedOf: (request) => [subjectOf(request)].filter(isKnown) };
    }
  }
}

function client(request: PolicyRequest): string {
  return siteOf(attribute(request, "client_address"));
}

/** Told from an address, whatever the name; no other for being written in capitals. */
function user(request: PolicyRequest): string {
  const name = attribute(request, "sasl_username");
  return name === "" ? "" : `user ${name.toLowerCase()}`;
}

function isKnown(name: string): boolean {
  return name !== "";
}
