/** What two requests must have in common to share a remembered reply, from configuration to key. */

import { describe, expect, it } from "vitest";
import { openCache } from "../../src/bridge/open-cache.ts";
import { MemoryStore } from "../../src/cache/stores/memory.ts";
import type { ServiceConfig } from "../../src/config/config.ts";
import { parseConfig } from "../../src/config/load.ts";
import { Secret } from "../../src/config/secret.ts";
import { isFailure } from "../../src/mapping/mapping.ts";
import { policyRequest } from "../../src/model/request.ts";
import { options, recorder } from "../cache/stores/entries.ts";

/** The key of a request to a service, whose configuration `change` may alter. */
async function keyFor(
  attributes: Readonly<Record<string, string>>,
  cache = "{}",
  change: Partial<ServiceConfig> = {},
): Promise<string> {
  const config = await parseConfig(
    `services: { corp: { url: https://authz.example.com, mapping: authzen, cache: ${cache} } }`,
    "/nowhere/pfxbridge.yaml",
  );
  const service = { ...config.services.get("corp")!, ...change };
  const mapping = await service.mapping.instantiate();
  const store = new MemoryStore(options(recorder()));
  const request = policyRequest(new Map(Object.entries(attributes)), { recipients: [] });
  const call = await mapping.render(request);
  if (isFailure(call)) throw new Error(call.detail);
  const key = await openCache(service, service.cache!, mapping, store).key(call, request);
  if (typeof key !== "string") throw new Error(key.detail);
  return key;
}

const ALICE = { sasl_username: "alice", sender: "alice@example.org", client_address: "192.0.2.1" };

const TOKEN = {
  username: "a",
  type: "digest",
  nonce: true,
  created: true,
  timestamp: 0,
  mustUnderstand: true,
} as const;

describe("the identity that a service is shown", () => {
  it.each<[string, Partial<ServiceConfig>]>([
    ["a user name", { auth: { kind: "basic", username: "a", password: new Secret("p") } }],
    ["another", { auth: { kind: "basic", username: "b", password: new Secret("p") } }],
    ["another password", { auth: { kind: "basic", username: "b", password: new Secret("q") } }],
    ["a token", { auth: { kind: "bearer", token: new Secret("t") } }],
    ["a user of WS-Security", { auth: { kind: "ws_security", token: TOKEN, password: new Secret("p") } }],
    [
      "another one there",
      { auth: { kind: "ws_security", token: { ...TOKEN, username: "b" }, password: new Secret("p") } },
    ],
    ["a header of the service", { headers: { "x-tenant": "mail" } }],
    ["a client certificate", { tls: { cert: "/etc/pfxbridge/one.pem", key: "/etc/pfxbridge/one.key" } }],
    ["another one", { tls: { cert: "/etc/pfxbridge/two.pem", key: "/etc/pfxbridge/one.key" } }],
  ])("is part of the key: %s", async (_, change) => {
    const keys = [await keyFor(ALICE), await keyFor(ALICE, "{}", change)];
    expect(keys[0]).not.toBe(keys[1]);
    expect(await keyFor(ALICE, "{}", change)).toBe(keys[1]);
  });

  it("differs from one client certificate to the next", async () => {
    const tls = (name: string) => ({ tls: { cert: `/${name}.pem`, key: "/key.pem" } });
    expect(await keyFor(ALICE, "{}", tls("one"))).not.toBe(await keyFor(ALICE, "{}", tls("two")));
  });
});

describe("cache.key", () => {
  const KEY = '{ key: "${sasl_username}${client_address}" }';

  it("keeps its values apart: nobody gets what was said of a name and an address that read the same", async () => {
    const alice = await keyFor({ sasl_username: "alice", client_address: "11.2.3.4" }, KEY);
    expect(await keyFor({ sasl_username: "alice1", client_address: "1.2.3.4" }, KEY)).not.toBe(alice);
    expect(await keyFor({ ...ALICE, client_address: "11.2.3.4" }, KEY)).toBe(alice);
  });

  it("is another when it is written another way", async () => {
    const other = '{ key: "${client_address}${sasl_username}" }';
    const request = { sasl_username: "a", client_address: "a" };
    expect(await keyFor(request, KEY)).not.toBe(await keyFor(request, other));
  });
});
