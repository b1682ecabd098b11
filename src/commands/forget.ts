/** `pfxbridge forget`: remembered decisions about some requests are forgotten, by every bridge that shares the store. */
import type { Met } from "../cache/forget.ts";
import { type Command, readArguments, UsageError } from "./command.ts";
import { CONTROL_HELP, CONTROL_OPTIONS, command, controlTarget, whoAmI } from "./control-target.ts";

export const forget: Command = {
  help: [
    "Usage: pfxbridge forget [--dry-run] [--service SERVICE] [NAME=VALUE …]",
    "       pfxbridge forget [--dry-run] --all",
    "",
    "Forgets what is remembered of requests with all of these attributes, on every",
    "host that shares the store, within a second: the service is asked again.",
    "",
    "      --service SERVICE  only what this service said",
    "      --all              everything",
    "      --dry-run          only say how many remembered decisions it would meet",
    ...CONTROL_HELP,
    "",
    "  pfxbridge forget sasl_username=mallory",
  ].join("\n"),
  async run(args) {
    const { values, positionals } = readArguments(
      args,
      {
        ...CONTROL_OPTIONS,
        service: { type: "string" },
        all: { type: "boolean", default: false },
        "dry-run": { type: "boolean", default: false },
      },
      true,
    );
    const attributes = readAttributes(positionals);
    const { service, all } = values;
    const some = service !== undefined || positionals.length > 0;
    if (!some && !all) {
      throw new UsageError(
        "say what to forget: NAME=VALUE as in sasl_username=mallory, --service SERVICE, or --all for everything",
      );
    }
    if (some && all) throw new UsageError("--all forgets everything; leave out what stands beside it");
    const asked = positionals.length > 0 ? { attributes } : { all: true };
    const dryRun = values["dry-run"];
    const body = { ...(service !== undefined && { service }), ...asked, dry_run: dryRun, by: whoAmI() };
    const met = await command<Met>(controlTarget(values), { method: "POST", path: "/v1/forget", body });
    const whose = service === undefined ? "every service" : service;
    const what = `what ${whose} said of ${positionals.join(" and ") || "all requests"}`;
    console.log(`${dryRun ? "would be forgotten" : "forgotten"}: ${what}`);
    console.log(`remembered decisions met: ${met.complete ? "" : "at least "}${met.met}`);
    return 0;
  },
};

function readAttributes(texts: readonly string[]): Record<string, string> {
  const attributes = new Map<string, string>();
  for (const text of texts) {
    const split = text.indexOf("=");
    const name = text.slice(0, split);
    if (split <= 0) {
      throw new UsageError(`expected NAME=VALUE, as in sasl_username=mallory, got ${JSON.stringify(text)}`);
    }
    if (attributes.has(name)) {
      throw new UsageError(`${name} stands twice; a request has one value: call forget for each`);
    }
    attributes.set(name, text.slice(split + 1));
  }
  return Object.fromEntries(attributes);
}
