/** `pfxbridge doctor`: the services, their certificates, the store's clock and Postfix's own configuration, looked through. */
import type { Config } from "../config/config.ts";
import { findConfig } from "../config/find.ts";
import { loadConfig } from "../config/load.ts";
import { askControl } from "../control/client.ts";
import { checkClocks } from "../doctor/clocks.ts";
import type { Finding } from "../doctor/finding.ts";
import { checkPostfix } from "../doctor/postfix/check-postfix.ts";
import { checkQuestion, questionAbout } from "../doctor/question.ts";
import { checkReach } from "../doctor/reach.ts";
import { ServiceLog } from "../observe/log.ts";
import { safeJson } from "../text/quote.ts";
import { visible } from "../text/visible.ts";
import { type Command, readArguments } from "./command.ts";
import { becomeHarmless } from "./privileges.ts";

export const doctor: Command = {
  help: [
    "Usage: pfxbridge doctor [-c FILE] [--postfix DIR] [--no-call] [--json]",
    "",
    "Looks at what the bridge stands between, and says what is amiss and how to mend",
    "it: each service's name, connection, certificate, and one question to it; the",
    "clock of Redis; and Postfix's main.cf and master.cf, as postconf tells them.",
    "Nothing is changed.",
    "",
    "  -c, --config FILE  the configuration; default ./pfxbridge.yaml (not as root),",
    "                     then /etc/pfxbridge/pfxbridge.yaml",
    "      --postfix DIR  where main.cf is; default: where postconf says",
    "      --no-call      connect, but ask the services nothing",
    "      --json         what was found as JSON",
    "",
    "Exit status: 0 nothing is amiss (notes aside), 1 something is.",
  ].join("\n"),
  async run(args) {
    const { values } = readArguments(args, {
      config: { type: "string", short: "c" },
      postfix: { type: "string" },
      "no-call": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    });
    const config = await loadConfig(findConfig(values.config));
    const { json } = values;
    const all: Finding[] = [];
    const say = (line: string) => {
      if (!json) console.log(visible(line));
    };
    const tell = (findings: readonly Finding[]) => {
      all.push(...findings);
      if (!json) for (const finding of findings) console.log(lineOf(finding, config));
    };
    say(`Looking through what ${config.file} names. Nothing is changed.`);
    // Before root's rights are gone: an ordinary user cannot look into Postfix's folders.
    const postfix = await checkPostfix(config, values.postfix, await runningBridge(config));
    becomeHarmless({ ...config, mappings: [...config.services.values()].map(({ mapping }) => mapping) });
    for (const service of config.services.values()) {
      const asks = !values["no-call"];
      say("");
      say(`service ${service.name}${asks ? `: asked once, about ${questionAbout(service)}` : ""}`);
      tell(await checkReach(service));
      if (asks) tell([await checkQuestion(service, config, new ServiceLog())]);
    }
    const clocks = await checkClocks(config);
    if (clocks.length > 0) {
      say("");
      say("stores");
    }
    tell(clocks);
    say("");
    say("Postfix");
    tell(postfix);
    const wrong = all.filter(({ level }) => level === "amiss").length;
    if (json) {
      console.log(
        safeJson(
          JSON.stringify(
            { config: config.file, amiss: wrong, findings: all.map((finding) => masked(finding, config)) },
            null,
            2,
          ),
        ),
      );
    } else
      console.log(
        `\n${wrong === 0 ? "Nothing is amiss." : `${wrong} ${wrong === 1 ? "thing is" : "things are"} amiss.`}`,
      );
    return wrong === 0 ? 0 : 1;
  },
};

const MARKS = { well: "✓", note: "!", amiss: "✗" } as const;

function lineOf(finding: Finding, config: Config): string {
  const { level, about, message, mend } = masked(finding, config);
  const place = /^(service|Postfix$|store)/.test(about) ? "" : `${about}: `;
  const remedy = mend === undefined ? "" : `\n      mend: ${visible(mend)}`;
  return `  ${MARKS[level]} ${visible(place + message)}${remedy}`;
}

function masked({ level, about, message, mend }: Finding, { mask }: Config): Finding {
  return { level, about, message: mask(message), ...(mend !== undefined && { mend: mask(mend) }) };
}

/** The process id of the bridge, where it can be asked for it. */
async function runningBridge({ control }: Config): Promise<number | undefined> {
  if (control === undefined) return undefined;
  const status = await askControl(control, { method: "GET", path: "/v1/status", patience: 2000 });
  return "pid" in status && typeof status.pid === "number" ? status.pid : undefined;
}
