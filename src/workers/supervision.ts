/** What a process needs that only supervises: workers that answer, and listeners whose connections go to them. */
import type { OfflineSwitch } from "../bridge/offline.ts";
import type { Log } from "../observe/log.ts";
import { ListenerSet } from "../postfix/listener-set.ts";
import { listenFor } from "./handing-listener.ts";
import { WorkerPool } from "./worker-pool.ts";

/** @param commandLine `--offline` */
export function openSupervision(
  offline: OfflineSwitch,
  commandLine: boolean,
  log: Log,
): { readonly engine: WorkerPool; readonly listeners: ListenerSet } {
  const listeners: ListenerSet = new ListenerSet(
    () => null,
    log,
    (options) => listenFor(engine.handOver, options),
  );
  const engine = new WorkerPool({ offline, commandLine, log, listeners: () => listeners.report });
  return { engine, listeners };
}
