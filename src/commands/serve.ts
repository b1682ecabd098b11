/** `pfxbridge serve`: runs the bridge with a configuration file. */
import { findConfig } from "../config/find.ts";
import { loadConfig } from "../config/load.ts";
import { type Command, readArguments } from "./command.ts";
import { runDaemon } from "./daemon.ts";

export const serve: Command = {
  help: [
    "Usage: pfxbridge serve [-c FILE] [--offline] [--stdio]",
    "",
    "Answers policy requests on the endpoints under `listen` until SIGTERM.",
    "SIGHUP, or `pfxbridge reload`, loads the configuration again; SIGUSR1 only opens",
    "the log file anew, for logrotate.",
    "",
    "  -c, --config FILE  the configuration; default ./pfxbridge.yaml (not as root),",
    "                     then /etc/pfxbridge/pfxbridge.yaml",
    "      --offline      make no calls: on_failure for `offline` answers",
    "      --stdio        serve the one client at standard input and output, for",
    "                     Postfix's spawn(8); the log goes to log.file only",
  ].join("\n"),
  async run(args) {
    const { values } = readArguments(args, {
      config: { type: "string", short: "c" },
      offline: { type: "boolean", default: false },
      stdio: { type: "boolean", default: false },
    });
    const file = findConfig(values.config);
    const { offline, stdio } = values;
    let isSaid = false;
    const onSaid = () => {
      isSaid = true;
    };
    try {
      await runDaemon({ load: () => loadConfig(file), offline, stdio, onSaid });
    } catch (error) {
      if (stdio && !isSaid) await (await import("./last-words.ts")).sayLastWords(file, error);
      throw error;
    }
    return 0;
  },
};
