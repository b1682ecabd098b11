/** From a service's configuration to the service as decisions see it. */

import { Flights } from "../cache/flights.ts";
import type { StorePool } from "../cache/store-pool.ts";
import type { ServiceConfig } from "../config/config.ts";
import { SecretWatch } from "../config/secret-watch.ts";
import { Asking } from "../decision/ask.ts";
import { fairness } from "../decision/fairness.ts";
import { Refresher } from "../decision/refresher.ts";
import type { Service } from "../decision/service.ts";
import type { LoadedMapping } from "../mapping/load.ts";
import type { Mapping } from "../mapping/mapping.ts";
import type { Log } from "../observe/log.ts";
import { ProblemError } from "../source/problem.ts";
import { LATE, within } from "../time/within.ts";
import { Batcher } from "../upstream/authzen-batch.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { Activity } from "./activity.ts";
import { ServiceCredentials } from "./credentials.ts";
import type { OfflineSwitch } from "./offline.ts";
import { openAuth } from "./open-auth.ts";
import { openCache } from "./open-cache.ts";
import { openUpstream } from "./open-upstream.ts";
import type { Outage } from "./outages.ts";
import type { TokenShelf } from "./token-shelf.ts";

/** In milliseconds. */
const MODULE_LOAD_TIME = 10_000;

/** @throws ProblemError where a module, or a file of `tls`, cannot be used */
export async function openService(
  config: ServiceConfig,
  offline: OfflineSwitch,
  stores: StorePool,
  log: Log,
  activity: Activity,
  outage: Outage,
  shelf: TokenShelf,
): Promise<Service> {
  const { name, deadline, stressDeadline, onFailure } = config;
  const counts = activity.of(name);
  const mapping = await inTime(config.mapping);
  const auth = openAuth(config, log, activity, shelf);
  const upstream = openUpstream(config, auth, log, counts.attempts, outage);
  if (!offline.isOffline(name)) upstream.discover();
  const cache =
    config.cache === undefined
      ? null
      : openCache(config, config.cache, mapping, await stores.open(name, config.cache), counts.cache);
  const credentials = new ServiceCredentials(
    new SecretWatch(auth.secrets, log, { service: name }),
    auth.tokens,
    auth.isRefusal,
  );
  const isOffline = () => offline.isOffline(name);
  const refresher: Refresher | null =
    cache === null
      ? null
      : new Refresher(
          (request) => new Asking(service, request, onFailure).renew(),
          () => !isOffline(),
          config.warm,
        );
  const service: Service = {
    name,
    mapping,
    upstream,
    credentials,
    caller: config.batch === undefined ? upstream : openBatcher(upstream, config.batch, name, log),
    fairness: fairness(config.fair),
    cache,
    releaseStore: async () => {
      if (cache !== null) await stores.release(cache.store);
    },
    refresher,
    flights: new Flights(),
    deadline,
    stressDeadline,
    onFailure,
    isOffline,
  };
  return service;
}

function openBatcher(
  upstream: Upstream,
  batch: NonNullable<ServiceConfig["batch"]>,
  service: string,
  log: Log,
): Batcher {
  const onRefused = (detail: string) =>
    log.warn({ service, detail }, "the service takes no batch: calls are made one by one for a minute");
  return new Batcher(upstream, { ...batch, isTaken: () => upstream.takesBatches, onRefused });
}

/** Resolves when the calls under way have ended. */
export async function closeService({
  upstream,
  refresher,
  releaseStore,
  credentials,
}: Service): Promise<void> {
  refresher?.close();
  await upstream.close();
  await credentials.close();
  await releaseStore();
}

/** A module may wait for something when it is imported, but not for ever. */
async function inTime(loaded: LoadedMapping): Promise<Mapping> {
  const mapping = await within(MODULE_LOAD_TIME, loaded.instantiate());
  if (mapping !== LATE) return mapping;
  const message = `the module was not loaded within ${MODULE_LOAD_TIME / 1000} s; does it await something at its top level?`;
  throw new ProblemError([{ file: loaded.file, message, severity: "error" }]);
}
