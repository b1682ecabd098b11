/**
 * The decisions of log files, one after the other, and what was passed over on the way: other lines, lines that could not be
 * understood, a clock that went back.
 */
import { type DecisionRecord, type NoRecord, readRecord } from "./decision-record.ts";
import { openLogs } from "./log-files.ts";
import { Progress, type ProgressOutput } from "./progress.ts";

/** What was read, in numbers. */
export interface ReadCounts {
  decisions: number;
  /** Other lines of the log. */
  other: number;
  noJson: number;
  notUnderstood: number;
  tooLong: number;
  /** Decisions written earlier than the one before them, by more than writers side by side account for. */
  backwards: number;
}

/** Milliseconds by which lines of several workers may be out of order. */
const OUT_OF_ORDER = 1000;

const MEMBER: Readonly<Record<NoRecord, "other" | "noJson" | "notUnderstood">> = {
  other: "other",
  "no json": "noJson",
  "not understood": "notUnderstood",
};

/**
 * Hands each decision on, in the order of the files and of the lines in them; reads no further until `take` is done.
 *
 * @param take may be asynchronous; a promise is waited for
 * @throws Error that names the file, where one cannot be read; where there is not a single decision, it says what was there
 */
export async function readDecisions(
  files: readonly string[],
  take: (record: DecisionRecord) => void | Promise<void>,
  output?: ProgressOutput,
): Promise<ReadCounts> {
  const { lines, bytes, tooLong } = await openLogs(files);
  const counts: ReadCounts = {
    decisions: 0,
    other: 0,
    noJson: 0,
    notUnderstood: 0,
    tooLong: 0,
    backwards: 0,
  };
  const progress = new Progress(bytes, output);
  let latest = Number.NEGATIVE_INFINITY;
  try {
    for await (const some of lines) {
      for (const line of some) {
        if (line === "") continue;
        const record = readRecord(line);
        if (typeof record === "string") {
          counts[MEMBER[record]]++;
          continue;
        }
        counts.decisions++;
        if (record.time < latest - OUT_OF_ORDER) counts.backwards++;
        latest = Math.max(latest, record.time);
        const taken = take(record);
        if (taken instanceof Promise) await taken;
      }
      progress.show(counts.decisions);
    }
  } finally {
    progress.end();
  }
  counts.tooLong = tooLong.count;
  if (counts.decisions === 0) throw new Error(noDecisions(files, counts));
  return counts;
}

function noDecisions(files: readonly string[], { other, noJson, notUnderstood }: ReadCounts): string {
  const where = files.join(", ");
  if (notUnderstood > 0) {
    return `no decision in ${where} can be read: ${notUnderstood} lines say that they are some, but lack what a decision has; were they written by another version, or cut?`;
  }
  if (other > 0) {
    return `there is no decision in ${where}, only ${other} other lines of a log: decisions are logged from log.level info on`;
  }
  if (noJson > 0) {
    return `${where} is no log of decisions in JSON (${noJson} lines are no JSON): it takes what log.format json or journal writes`;
  }
  return `${where} is empty`;
}

/** What should be known of what was passed over, a sentence each; none where nothing was. */
export function remarks(counts: ReadCounts): string[] {
  const { noJson, notUnderstood, tooLong, backwards } = counts;
  const said: string[] = [];
  if (noJson > 0) said.push(`${noJson} lines are no JSON and were passed over`);
  if (notUnderstood > 0)
    said.push(`${notUnderstood} decisions lack what each has (another version, or cut) and were passed over`);
  if (tooLong > 0) said.push(`${tooLong} lines are longer than any of the bridge and were passed over`);
  if (backwards > 0)
    said.push(
      `${backwards} decisions are older than one before them: the clock was set back, or files are out of order`,
    );
  return said;
}
