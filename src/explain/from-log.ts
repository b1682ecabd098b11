/** Decisions looked for in log files: newest first, the search ending where what was asked for is found. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type DecisionRecord, readRecord } from "../logbook/decision-record.ts";
import { openLogs } from "../logbook/log-files.ts";
import { Progress, type ProgressOutput } from "../logbook/progress.ts";
import type { DecisionQuery } from "./query.ts";
import type { ShownDecision } from "./shown.ts";

export type LogQuery = Pick<DecisionQuery, "id" | "queueId" | "sender" | "recipient" | "limit">;

export interface LogSearch {
  /** Newest first. */
  readonly decisions: readonly (ShownDecision & { readonly file: string })[];
  /** What was looked through, in words: with how many decisions, or why not. */
  readonly looked: readonly string[];
}

/** What log rotation makes of a name: `log.1`, `log.2.gz`, `log-20261125.zst`. */
const ROTATED = /^(?:[.-][0-9][0-9.-]*)?(?:\.(?:gz|zst))?$/;

/** A log file and those that it was before, newest first; it alone where its folder cannot be read. */
export async function withRotated(file: string): Promise<readonly string[]> {
  const folder = dirname(file);
  const name = basename(file);
  const names = await readdir(folder).catch(() => []);
  const found: { path: string; changed: number }[] = [];
  for (const other of names) {
    if (!other.startsWith(name) || !ROTATED.test(other.slice(name.length))) continue;
    const path = join(folder, other);
    const changed = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    found.push({ path, changed: path === file ? Number.POSITIVE_INFINITY : changed });
  }
  if (found.length === 0) return [file];
  return found.sort((a, b) => b.changed - a.changed).map(({ path }) => path);
}

/**
 * @param files newest first
 * @param output where progress is shown, if it is a terminal
 */
export async function findInLogs(
  files: readonly string[],
  query: LogQuery,
  output?: ProgressOutput,
): Promise<LogSearch> {
  const decisions: (ShownDecision & { file: string })[] = [];
  const looked: string[] = [];
  for (const file of files) {
    const left = query.limit - decisions.length;
    try {
      const { found, read } = await findInLog(file, { ...query, limit: left }, output);
      looked.push(`${file} (${read})`);
      decisions.push(...found.map((record) => ({ ...shownRecord(record), file })));
    } catch (error) {
      looked.push((error as Error).message);
    }
    // One decision has one line; a list goes on.
    if (decisions.length >= query.limit || (query.id !== undefined && decisions.length > 0)) break;
  }
  return { decisions, looked };
}

async function findInLog(
  file: string,
  query: LogQuery,
  output?: ProgressOutput,
): Promise<{ readonly found: readonly DecisionRecord[]; readonly read: string }> {
  const { lines, bytes } = await openLogs([file]);
  const progress = new Progress(bytes, output);
  // Such a text stands in a line as it is: of most lines no more need be known.
  const telling = query.id ?? query.queueId;
  let latest: DecisionRecord[] = [];
  let read = 0;
  try {
    for await (const some of lines) {
      for (const line of some) {
        read++;
        if (telling !== undefined && !line.includes(telling)) continue;
        const record = readRecord(line);
        if (typeof record === "string" || !isMeant(record, query)) continue;
        latest.push(record);
        if (latest.length > 2 * query.limit) latest = latest.slice(-query.limit);
      }
      progress.show(read);
    }
  } finally {
    progress.end();
  }
  return { found: latest.slice(-query.limit).reverse(), read: `${read} lines` };
}

function isMeant({ requestId, attributes }: DecisionRecord, query: LogQuery): boolean {
  const { id, queueId, sender, recipient } = query;
  const same = (name: string, wanted: string | undefined) =>
    wanted === undefined || (attributes.get(name) ?? "").toLowerCase() === wanted.toLowerCase();
  return (
    (id === undefined || requestId.startsWith(id)) &&
    same("queue_id", queueId) &&
    same("sender", sender) &&
    same("recipient", recipient)
  );
}

/** Secrets were taken out when it was logged. */
function shownRecord(record: DecisionRecord): ShownDecision {
  const { time, requestId, reference, listener, service, mapping, action, source, ms } = record;
  const { cause, detail, rule, status, age } = record;
  const attributes = [...record.attributes].filter(([, value]) => value !== "");
  return {
    time: new Date(time).toISOString(),
    request_id: requestId,
    reference: reference ?? requestId.slice(0, 8),
    listener,
    ...(service !== undefined && { service }),
    ...(mapping !== undefined && { mapping }),
    action,
    source,
    ...(cause !== undefined && { cause }),
    ...(detail !== undefined && { detail }),
    ...(rule !== undefined && { rule }),
    ...(status !== undefined && { status }),
    ...(age !== undefined && { age }),
    ms,
    attributes: Object.fromEntries(attributes),
  };
}
