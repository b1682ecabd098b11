/**
 * A bridge's status for monitoring, by the conventions of Nagios' plugins: one line, and an exit status.
 *
 *     PFXBRIDGE CRITICAL - corp is down since 14:02:11; other is offline by hand | upstream=10c cache=2c
 */
import type { ServiceStatus } from "../bridge/status.ts";
import { visible } from "../text/visible.ts";
import type { Status } from "./controls.ts";
import { at } from "./status-text.ts";

/** Exit statuses that monitoring understands. */
export const MONITORING = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

export type Level = keyof typeof MONITORING;

export interface Verdict {
  readonly level: Level;
  readonly line: string;
}

/** A complaint of a store is news for so long, in milliseconds. */
const NEWS = 10 * 60_000;

/** @param now milliseconds since 1970 */
export function checkStatus(status: Status, now: number): Verdict {
  const critical = status.services.flatMap((service) => downs(service, now));
  const warnings = [
    ...status.services.flatMap((service) => doubts(service)),
    ...(status.workers ?? [])
      .filter(({ answers }) => !answers)
      .map(({ pid }) => `worker process ${pid} does not answer`),
    ...storeDoubts(status, now),
    ...(status.reload?.refused_since
      ? [`the configuration was refused since ${at(status.reload.refused_since, now)}`]
      : []),
  ];
  const level = critical.length > 0 ? "CRITICAL" : warnings.length > 0 ? "WARNING" : "OK";
  const count = status.services.length;
  const well = count === 0 ? "no service is configured" : `${count} service${count === 1 ? "" : "s"} up`;
  const said = [...critical, ...warnings].join("; ") || well;
  return verdict(level, `${said} | ${counts(status)}`);
}

/** What monitoring is told: one line, whatever stands in it. */
export function verdict(level: Level, text: string): Verdict {
  return { level, line: visible(`PFXBRIDGE ${level} - ${text}`).replaceAll("\n", " ") };
}

function downs({ name, mode, trouble, circuits }: ServiceStatus, now: number): string[] {
  if (mode === "offline" || trouble !== "circuits") return [];
  const since = circuits.flatMap(({ open_since }) => open_since ?? []).sort()[0];
  return [`${name} is down${since === undefined ? "" : ` since ${at(since, now)}`}`];
}

function doubts({ name, mode, offline, trouble, failure }: ServiceStatus): string[] {
  if (mode === "offline") {
    const why = { by_hand: "by hand", configuration: "by the configuration", command_line: "by --offline" };
    return [`${name} is offline ${offline === null ? "" : why[offline.reason]}`.trim()];
  }
  if (trouble === "failing") return [`the last call of ${name} failed (${failure?.cause})`];
  return trouble === "some_circuits" ? [`not all URLs of ${name} answer`] : [];
}

function storeDoubts({ store_complaint: complaint }: Status, now: number): string[] {
  return complaint !== null && now - Date.parse(complaint.at) < NEWS ? [complaint.message] : [];
}

/** Counters, as monitoring reads them after the bar. */
function counts({ decisions }: Status): string {
  return Object.entries(decisions)
    .map(([source, count]) => `${source}=${count}c`)
    .join(" ");
}
