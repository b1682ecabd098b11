/** The shipped mappings, loaded as a service would, and requests to try them on. */
import { findMapping } from "../../src/mapping/find.ts";
import { type LoadedMapping, loadMapping } from "../../src/mapping/load.ts";
import type { Mapping } from "../../src/mapping/mapping.ts";
import { type PolicyRequest, policyRequest } from "../../src/model/request.ts";

export function load(name: string, parameters: Record<string, unknown> = {}): Promise<LoadedMapping> {
  return loadMapping({ name, file: findMapping(name, "pfxbridge.yaml"), parameters });
}

export async function loadShipped(name: string, parameters: Record<string, unknown> = {}): Promise<Mapping> {
  return (await load(name, parameters)).instantiate();
}

/** A request with these attributes; `recipients` are the one named unless given. */
export function requestOf(
  attributes: Record<string, string>,
  recipients: readonly string[] = [],
): PolicyRequest {
  return policyRequest(new Map(Object.entries(attributes)), {
    id: "11111111-1111-4111-8111-111111111111",
    time: Date.UTC(2026, 0, 1),
    listener: "test",
    ...(recipients.length > 0 && { recipients }),
  });
}
