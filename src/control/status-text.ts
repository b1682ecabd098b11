/** A bridge's status for people, at 80 columns: what is down, since when, what answers now, what to do. */

import type { CacheStatus, ServiceStatus, TokenStatus } from "../bridge/status.ts";
import { visible } from "../text/visible.ts";
import type { Status } from "./controls.ts";

const WIDTH = 80;
const INDENT = 10;
/** @param now milliseconds since 1970 */
export function statusText(status: Status, now: number): string {
  const up = span(status.uptime_s * 1000);
  return [
    ...fold(
      `pfxbridge ${status.version}, process ${status.pid}, up ${up} (since ${at(status.started, now)})`,
    ),
    ...workerLines(status),
    ...fold(`configuration ${status.config}`),
    ...reloadLines(status, now),
    "",
    ...status.services.flatMap((service) => [...serviceLines(service, now), ""]),
    ...storeLines(status, now),
    ...listenerLines(status),
    "",
    ...decisionLines(status.decisions),
  ]
    .map(visible)
    .join("\n");
}

function workerLines({ workers }: Status): string[] {
  if (workers === undefined) return [];
  const each = workers.map(({ pid, connections, answers }) =>
    answers ? `${pid} (${connections} connections)` : `${pid} (does not answer)`,
  );
  return fold(`worker processes: ${each.join(", ")}`);
}

function reloadLines({ reload }: Status, now: number): string[] {
  const since = reload?.refused_since ?? null;
  if (reload === null || since === null) return [];
  const more = reload.problems.length > 1 ? ` (and ${reload.problems.length - 1} more)` : "";
  return [
    ...fold(
      `RELOAD REFUSED since ${at(since, now)} (${ago(since, now)}): what is in use is older than the file`,
    ),
    ...entry("", `${reload.problems[0] ?? ""}${more}`),
    ...entry("", "to do: pfxbridge check, mend it, then pfxbridge reload"),
  ];
}

function serviceLines(service: ServiceStatus, now: number): string[] {
  return [
    ...entry(service.name, headline(service, now)),
    ...circuitLines(service, now),
    ...discoveryLines(service, now),
    ...answerLines(service, now),
    ...entry("", callsLine(service)),
    ...(service.token === undefined ? [] : entry("", tokenLine(service.token, now))),
    ...(service.cache === null ? [] : entry("", cacheLine(service.cache))),
    ...advice(service).flatMap((text) => entry("", text)),
  ];
}

function headline(
  { mode, offline, trouble, circuits, failure, answered }: ServiceStatus,
  now: number,
): string {
  if (mode === "offline") {
    if (offline?.reason === "configuration") return "OFFLINE, as the configuration says";
    if (offline?.reason === "command_line") return "OFFLINE, by --offline";
    const until = offline?.until ? `until ${at(offline.until, now)}` : "until switched back";
    return `OFFLINE ${until}, by ${offline?.by} since ${at(offline?.since ?? "", now)}`;
  }
  switch (trouble) {
    case "circuits": {
      const since = circuits.flatMap(({ open_since }) => open_since ?? []).sort()[0] ?? "";
      return `DOWN since ${at(since, now)} (${ago(since, now)})`;
    }
    case "some_circuits":
      return "up, but not all of its URLs";
    case "failing":
      return `FAILING: the last call failed, ${failure?.cause}, ${ago(failure?.at ?? "", now)}`;
    default:
      return answered === null && failure === null ? "not asked yet" : "up";
  }
}

function circuitLines({ circuits }: ServiceStatus, now: number): string[] {
  return circuits.flatMap(({ url, state, open_since, last_failure, workers, of_workers }) => {
    if (state === "closed") return entry("", url);
    const trying = state === "half-open" ? "the next call is a trial" : "not called for now";
    const since = open_since === null ? "" : ` since ${at(open_since, now)}`;
    const where = workers === of_workers ? "" : ` in ${workers} of ${of_workers} workers`;
    // Most failures begin with the URL, which has just been said.
    const failure = last_failure?.startsWith(`${url}: `) ? last_failure.slice(url.length + 2) : last_failure;
    return entry("", `${url}: circuit ${state}${where}${since}, ${trying}; last failure: ${failure}`);
  });
}

function discoveryLines({ circuits }: ServiceStatus, now: number): string[] {
  return circuits.flatMap(({ discovery }) => {
    if (discovery === undefined) return [];
    const { address, evaluation, evaluations, read, failure } = discovery;
    const trouble = failure === null ? "" : `; not since: ${failure}`;
    if (read === null) return entry("", `not discovered yet (${address})${trouble}`);
    const batches = evaluations ?? "none";
    return entry("", `asked at ${evaluation}, batches: ${batches}; discovered ${ago(read, now)}${trouble}`);
  });
}

function answerLines(service: ServiceStatus, now: number): string[] {
  const { answered, circuits, failure, default_action: action, cache } = service;
  if (action === undefined) return [];
  const last = answered === null ? "none since the start" : `${at(answered, now)} (${ago(answered, now)})`;
  const otherwise = action ?? "no reply, the connection is closed (postfix-default)";
  const first = cache === null ? "" : "remembered decisions; for all else ";
  // Where a circuit is open its line has said it.
  const said = circuits.some(
    ({ state, last_failure }) => state !== "closed" && last_failure === failure?.detail,
  );
  const detail = said ? "" : `: ${failure?.detail}`;
  return [
    ...entry("", `last answer of the service: ${last}`),
    ...(failure === null
      ? []
      : entry("", `last failure: ${failure.cause}, ${ago(failure.at, now)}${detail}`)),
    ...entry("", `answered now: ${first}${otherwise}`),
  ];
}

function callsLine({ mapping, in_flight, waiting, max_in_flight }: ServiceStatus): string {
  const line = waiting === 0 ? "" : `, ${waiting} waiting`;
  return `mapping ${mapping}; calls in flight: ${in_flight} of ${max_in_flight}${line}`;
}

function tokenLine({ from, until, there, fetched, failed, failure }: TokenStatus, now: number): string {
  const left =
    until === null ? "good until it is refused" : `good for ${span(Math.max(0, Date.parse(until) - now))}`;
  const state = there ? left : "none now";
  const last =
    failure === null ? "" : `; last failure: ${failure.cause}, ${ago(failure.at, now)}: ${failure.detail}`;
  return `token from ${from}: ${state}; fetched ${fetched}, failed ${failed}${last}`;
}

function cacheLine({ store, entries, hits, stale, misses }: CacheStatus): string {
  const count = entries === null ? "the store does not answer" : `${entries} entries`;
  return `remembered (${store}): ${count}; used ${hits}, past their time ${stale}, not found ${misses}`;
}

function advice({ name, mode, offline, trouble, cache }: ServiceStatus): string[] {
  if (mode === "offline") {
    if (offline?.reason === "by_hand") return [`to do: pfxbridge online ${name}, when the service is back`];
    const where = offline?.reason === "configuration" ? `"offline" in the configuration` : "--offline";
    return [`to do: take ${where} away, when the service is back`];
  }
  if (trouble === "circuits" || trouble === "failing") {
    const keep = cache === null ? "" : ` or pfxbridge offline ${name} to spare it the calls;`;
    return [`to do: see to the service;${keep} once it answers, it is used again by itself`];
  }
  return trouble === "some_circuits" ? ["to do: see to the URL that fails; the others answer"] : [];
}

function storeLines({ store_complaint }: Status, now: number): string[] {
  if (store_complaint === null) return [];
  return [...entry("store", `${ago(store_complaint.at, now)}: ${store_complaint.message}`), ""];
}

function listenerLines({ listeners }: Status): string[] {
  return listeners.flatMap(({ endpoint, name, connections, requests }) => {
    const called = name === endpoint ? "" : ` (${name})`;
    return entry("listener", `${endpoint}${called}: ${connections} connections, ${requests} requests`);
  });
}

/** By `source`, as the log calls it. */
function decisionLines(decisions: Status["decisions"]): string[] {
  const counts = Object.entries(decisions).map(([source, count]) => `${source} ${count}`);
  return entry("decisions", counts.join(", "));
}

/** A name in the margin, and text beside it. */
function entry(name: string, text: string): string[] {
  const lines = fold(text, WIDTH - INDENT);
  if (name.length < INDENT) {
    return lines.map((line, index) => (index === 0 ? name : "").padEnd(INDENT) + line);
  }
  return [name, ...lines.map((line) => " ".repeat(INDENT) + line)];
}

/** Lines of at most `width` characters; a word that is longer stands alone. */
function fold(text: string, width = WIDTH): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "  ";
    }
    line += line.trim() === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** Local time; with the date where it is not today's. */
/** A time as the clock on this machine shows it, with the day if that is another. */
export function at(time: string, now: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "?";
  const two = (number: number) => String(number).padStart(2, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  if (date.toDateString() === new Date(now).toDateString()) return clock;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}

function ago(time: string, now: number): string {
  return `${span(Math.max(0, now - Date.parse(time)))} ago`;
}

/** `45 s`, `3 min`, `2 h 5 min`, `4 d 3 h`. */
function span(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h${minutes % 60 === 0 ? "" : ` ${minutes % 60} min`}`;
  return `${Math.floor(hours / 24)} d${hours % 24 === 0 ? "" : ` ${hours % 24} h`}`;
}
