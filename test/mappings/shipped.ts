/** The shipped mappings, loaded as a service would, and requests to try them on. */
import { findMapping } from "../../src/mapping/find.ts";
import { type LoadedMapping, loadMapping } from "../../src/mapping/load.ts";
import type { Mapping } from "../../src/mapping/mapping.ts";
import type { Subject } from "../../src/model/request.ts";

export function load(name: string, parameters: Record<string, unknown> = {}): Promise<LoadedMapping> {
  return loadMapping({ name, file: findMapping(name, "pfxbridge.yaml"), parameters });
}

export async function loadShipped(name: string, parameters: Record<string, unknown> = {}): Promise<Mapping> {
  return (await load(name, parameters)).instantiate();
}

/** A request with these attributes; `recipients` are the one named unless given. */
export function subject(attributes: Record<string, string>, recipients: readonly string[] = []): Subject {
  const { recipient = "" } = attributes;
  const named = recipients.length > 0 || recipient === "" ? recipients : [recipient];
  return {
    request: { attributes: new Map(Object.entries(attributes)), listener: "test", recipients: named },
    requestId: "11111111-1111-4111-8111-111111111111",
    now: Date.UTC(2026, 0, 1),
  };
}
