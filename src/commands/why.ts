/** `pfxbridge why`: how a decision came about, from the memory of the running bridge, else from log files. */
import { findConfig } from "../config/find.ts";
import { type LogPlace, loadLog } from "../config/log.ts";
import { askControl, type ControlTarget } from "../control/client.ts";
import { at } from "../control/status-text.ts";
import { findInLogs, withRotated } from "../explain/from-log.ts";
import { type Identity, readIdentity } from "../explain/identify.ts";
import type { FoundDecisions } from "../explain/recent.ts";
import type { ShownDecision } from "../explain/shown.ts";
import { decisionLine, decisionText } from "../explain/text.ts";
import { formatEndpoint } from "../postfix/endpoint.ts";
import { excerpt } from "../text/excerpt.ts";
import { safeJson } from "../text/quote.ts";
import { visible } from "../text/visible.ts";
import { type Command, readArguments, UsageError } from "./command.ts";
import { CONTROL_HELP, CONTROL_OPTIONS, controlTarget } from "./control-target.ts";

/** Decisions that are listed, where several are meant. */
const MOST_LISTED = 20;

interface Wanted {
  readonly identity: Identity | null;
  readonly queueId: string | undefined;
  readonly sender: string | undefined;
  readonly recipient: string | undefined;
}

/** Where it was found, and where it was looked for. */
interface Search {
  readonly from: string;
  readonly decisions: readonly ShownDecision[];
  readonly looked: readonly string[];
}

export const why: Command = {
  help: [
    "Usage: pfxbridge why [--json] ID [LOGFILE …]",
    "       pfxbridge why [--json] --queue-id ID [LOGFILE …]",
    "       pfxbridge why [--json] --sender A | --recipient B [LOGFILE …]",
    "",
    "Shows why a message was refused, or passed: route, call, reply, rule, action, as",
    "the running bridge remembers it; else what its log says. ID is the reference in",
    "the text of a refusal (mx1-1f3a9c2e), or a request_id or its first 8 digits.",
    "",
    "      --queue-id ID      the decisions about the message that Postfix calls so",
    "      --sender ADDRESS   the last decisions about this sender, newest first",
    "      --recipient ADDRESS",
    "                         the same of a recipient",
    "      --json             for machines",
    ...CONTROL_HELP,
    "",
    "Without LOGFILE: log.file of the configuration and what was rotated, also .gz",
    "and .zst. - is standard input:",
    "  journalctl -u pfxbridge -o cat | pfxbridge why ID -",
    "",
    "Exit status: 0 found, 1 not found, 2 wrong usage.",
  ].join("\n"),
  async run(args) {
    const { values, positionals } = readArguments(
      args,
      {
        ...CONTROL_OPTIONS,
        json: { type: "boolean", default: false },
        "queue-id": { type: "string" },
        sender: { type: "string" },
        recipient: { type: "string" },
      },
      true,
    );
    const { "queue-id": queueId, sender, recipient } = values;
    const isListing = queueId !== undefined || sender !== undefined || recipient !== undefined;
    const [id, ...rest] = positionals;
    const identity = isListing ? null : identify(id);
    const wanted: Wanted = { identity, queueId, sender, recipient };
    const search = await find(wanted, isListing ? positionals : rest, values);
    if (values.json) console.log(safeJson(JSON.stringify(search, null, 2)));
    else if (search.decisions.length > 0) console.log(textOf(search));
    else console.error(`pfxbridge: ${await notFound(wanted, search, values.config)}`);
    return search.decisions.length > 0 ? 0 : 1;
  },
};

function identify(id: string | undefined): Identity {
  if (id === undefined) {
    throw new UsageError(
      "say which decision: the reference of a refusal, or --queue-id, --sender, --recipient",
    );
  }
  const identity = readIdentity(id);
  if (identity === null) {
    throw new UsageError(
      `"${excerpt(id)}" is no reference, as mx1-1f3a9c2e, and no request_id nor its first 8 digits`,
    );
  }
  return identity;
}

type Values = Parameters<typeof controlTarget>[0];

async function find(wanted: Wanted, named: readonly string[], values: Values): Promise<Search> {
  const { decisions, from, looked } = await askBridge(wanted, values);
  if (decisions.length > 0) return { from, decisions, looked };
  const files = named.length > 0 ? named : await ownLogs(values);
  if (typeof files === "string") return { from: "", decisions: [], looked: [...looked, files] };
  const { identity, ...rest } = wanted;
  const query = { ...rest, id: identity?.id, limit: MOST_LISTED };
  const search = await findInLogs(files, query, process.stderr);
  return {
    from: search.decisions[0]?.file ?? "",
    decisions: search.decisions,
    looked: [...looked, ...search.looked],
  };
}

/** A bridge that is not there, or not told of in any configuration, leaves the log. */
async function askBridge(wanted: Wanted, values: Values): Promise<Search> {
  let target: ControlTarget;
  try {
    target = controlTarget(values);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    return { from: "", decisions: [], looked: [(error as Error).message] };
  }
  const { identity, queueId, sender, recipient } = wanted;
  const query = new URLSearchParams({ limit: String(MOST_LISTED) });
  const parameters = { reference: identity?.id, queue_id: queueId, sender, recipient };
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  const found = await askControl(target, { method: "GET", path: `/v1/decisions?${query}` });
  const from = `the bridge at ${formatEndpoint(target.endpoint)}`;
  if ("problem" in found) return { from, decisions: [], looked: [String(found.problem)] };
  const { decisions, kept, since, silent = 0 } = found as FoundDecisions;
  const when = since === null ? "" : ` since ${at(since, Date.now())}`;
  const missing = silent === 0 ? "" : `; ${silent} of its processes did not answer`;
  return { from, decisions, looked: [`the memory of ${from} (${kept} decisions${when}${missing})`] };
}

/** Or why there are none. */
async function ownLogs(values: Values): Promise<readonly string[] | string> {
  const log = await ownLog(values);
  if (typeof log === "string") return log;
  if (log.file !== undefined) return withRotated(log.file);
  return "no log file: the configuration names none (log.file). Its log is on standard output: journalctl -u pfxbridge -o cat | pfxbridge why … -";
}

async function ownLog({ config }: Values): Promise<LogPlace | string> {
  try {
    return await loadLog(findConfig(config));
  } catch (error) {
    return `no log file: ${(error as Error).message}`;
  }
}

function textOf({ from, decisions, looked }: Search): string {
  const now = Date.now();
  const [only, ...others] = decisions;
  if (only !== undefined && others.length === 0) {
    return decisionText(only, `${from}, decided ${at(only.time, now)}`);
  }
  return [
    `${decisions.length} decisions, newest first, from ${from}${decisions.length === MOST_LISTED ? "; there may be more" : ""}`,
    "",
    ...decisions.map((decision) => decisionLine(decision, at(decision.time, now))),
    "",
    "pfxbridge why ID shows one of them.",
    ...(looked.length > 1 ? looked.slice(0, -1).map((text) => `before that: ${text}`) : []),
  ]
    .map(visible)
    .join("\n");
}

async function notFound(
  { identity }: Wanted,
  { looked }: Search,
  config: string | undefined,
): Promise<string> {
  const log = await ownLog({ config });
  const own = typeof log === "string" ? undefined : log.reference.host;
  const there = identity?.host;
  const elsewhere =
    there !== undefined && own !== undefined && there !== own
      ? [`it was made on the host ${there}, and this is ${own}: ask there`]
      : [];
  return ["no such decision was found", ...elsewhere, ...looked.map((text) => `looked through: ${text}`)]
    .map(visible)
    .join("\n  ");
}
