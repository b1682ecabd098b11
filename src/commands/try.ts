/** `pfxbridge try`: one decision, explained step by step; or one question to a policy service that runs. */

import { Bridge } from "../bridge/bridge.ts";
import { OfflineSwitch } from "../bridge/offline.ts";
import type { Config } from "../config/config.ts";
import { findConfig } from "../config/find.ts";
import { loadConfig } from "../config/load.ts";
import { shownSteps } from "../explain/shown.ts";
import { Steps } from "../explain/steps.ts";
import { stepsText } from "../explain/text.ts";
import type { Decision } from "../model/decision.ts";
import { ATTRIBUTE_NAMES, policyRequest } from "../model/request.ts";
import { ServiceLog } from "../observe/log.ts";
import { askPolicyService } from "../postfix/client.ts";
import { parseEndpoint } from "../postfix/endpoint.ts";
import { excerpt } from "../text/excerpt.ts";
import { suggestion } from "../text/nearest.ts";
import { safeJson } from "../text/quote.ts";
import { visible } from "../text/visible.ts";
import { type Command, readArguments, UsageError } from "./command.ts";
import { becomeHarmless } from "./privileges.ts";

export const tryOut: Command = {
  help: [
    "Usage: pfxbridge try [-c FILE] [--json] [NAME=VALUE …]",
    "       pfxbridge try --to ENDPOINT [NAME=VALUE …]",
    "",
    "Makes one decision and shows each step: route, call, reply, rule, action. The",
    "service is really asked. Without attributes, a request is read from standard",
    "input.",
    "",
    "  -c, --config FILE  the configuration; default ./pfxbridge.yaml (not as root),",
    "                     then /etc/pfxbridge/pfxbridge.yaml",
    "      --json         the steps as JSON",
    "      --offline      make no call: show what on_failure answers",
    "      --to ENDPOINT  ask a policy service that runs, as Postfix would, and print",
    "                     its answer: inet:host:port or unix:/path",
    "",
    "  pfxbridge try protocol_state=RCPT sender=a@example.net recipient=b@example.org",
    "",
    "Exit status: 0 a rule or route decided, 1 on_failure did or there was no answer.",
  ].join("\n"),
  async run(args) {
    const { values, positionals } = readArguments(
      args,
      {
        config: { type: "string", short: "c" },
        json: { type: "boolean", default: false },
        offline: { type: "boolean", default: false },
        to: { type: "string" },
      },
      true,
    );
    const attributes = positionals.length > 0 ? positionals.map(parseAttribute) : await readRequest();
    for (const warning of misspelt(attributes)) console.error(`pfxbridge: ${visible(warning)}`);
    if (values.to !== undefined) return ask(values.to, attributes, values.json);

    const config = await loadConfig(findConfig(values.config));
    becomeHarmless({ ...config, mappings: [...config.services.values()].map(({ mapping }) => mapping) });
    const bridge = await Bridge.open(config, new ServiceLog(), {
      offline: new OfflineSwitch(config.offline, values.offline),
    });
    const first = new Map<string, string>();
    for (const [name, value] of attributes) if (!first.has(name)) first.set(name, value);
    const request = policyRequest(first, { listener: "try" });
    const steps = new Steps(true);
    const decision = await bridge.explain(request, steps);
    const shown = shownSteps(request, steps, decision, config.mask);
    console.log(values.json ? safeJson(JSON.stringify(shown, null, 2)) : stepsText(shown));
    for (const line of memoryNote(config, decision)) console.error(line);
    await bridge.close();
    return decision.source === "default" ? 1 : 0;
  },
};

/** The service was asked here; a bridge that runs may not ask it. */
function memoryNote({ services }: Config, { service = "", source }: Decision): string[] {
  if (source !== "upstream" || services.get(service)?.cache === undefined) return [];
  return [
    "",
    `pfxbridge: a bridge that runs may answer this from what it remembers of ${service}: ask it by`,
    "pfxbridge try --to ENDPOINT, or have it ask anew by pfxbridge forget",
  ];
}

const KNOWN: ReadonlySet<string> = new Set(ATTRIBUTE_NAMES);

type Attribute = readonly [name: string, value: string];

/** Postfix's own smtpd_policy_service_timeout. */
const ASK_TIMEOUT = 100_000;
/** More than any policy request has. */
const MAX_REQUEST = 256 * 1024;

async function ask(to: string, attributes: readonly Attribute[], json: boolean): Promise<number> {
  const endpoint = parseEndpoint(to);
  if ("problem" in endpoint) throw new UsageError(`--to: ${endpoint.problem}`);
  const reply = await askPolicyService(endpoint, attributes, { timeout: ASK_TIMEOUT });
  if ("problem" in reply) {
    console.error(`pfxbridge: ${visible(reply.problem)}`);
    return 1;
  }
  console.log(json ? safeJson(JSON.stringify({ action: reply.action })) : `action=${visible(reply.action)}`);
  return 0;
}

function parseAttribute(text: string): Attribute {
  const split = text.indexOf("=");
  if (split <= 0) {
    throw new UsageError(`expected NAME=VALUE, as in sender=a@example.net, got ${JSON.stringify(text)}`);
  }
  return [text.slice(0, split), text.slice(split + 1)];
}

/** Postfix knows them all, and a policy service takes no notice of those that it does not know. */
function misspelt(attributes: readonly Attribute[]): string[] {
  return attributes
    .map(([name]) => name)
    .filter((name) => !KNOWN.has(name))
    .map((name) => `warning: Postfix sends no attribute "${excerpt(name)}"${suggestion(name, KNOWN)}`);
}

/** Lines up to the first empty one, or the end of input. */
async function readRequest(): Promise<readonly Attribute[]> {
  if (process.stdin.isTTY) console.error("Type a policy request, NAME=VALUE a line, then an empty line:");
  let text = "";
  for await (const chunk of process.stdin) {
    text += String(chunk).replaceAll("\r\n", "\n");
    if (text.length > MAX_REQUEST)
      throw new UsageError("standard input is no policy request: it is too long");
    if (text.trimStart().includes("\n\n")) break;
  }
  const lines = (text.trimStart().split("\n\n")[0] ?? "").split("\n").filter((line) => line !== "");
  if (lines.length === 0) throw new UsageError("no attributes: name some, as in sender=a@example.net");
  return lines.map(parseAttribute);
}
