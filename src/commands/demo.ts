/** `pfxbridge demo`: the bridge in front of an authorization service of its own, to see it work before anything is set up. */
import { parseConfig } from "../config/load.ts";
import { demoBanner } from "../demo/banner.ts";
import { demoConfig } from "../demo/config.ts";
import { startDemoService } from "../demo/service.ts";
import { type Command, readArguments } from "./command.ts";
import { runDaemon } from "./daemon.ts";

export const demo: Command = {
  help: [
    "Usage: pfxbridge demo",
    "",
    "Starts an embedded authorization service (AuthZEN and SOAP) with a small table",
    "of who may send from where, and the bridge in front of it on 127.0.0.1:9998.",
  ].join("\n"),
  async run(args) {
    readArguments(args, {});
    const service = await startDemoService();
    // While the bridge runs, what is printed goes to its log.
    const { console } = globalThis;
    await runDaemon({
      load: () => parseConfig(demoConfig(service.url), "demo.yaml"),
      mayStayRoot: true,
      onReady: () => console.log(demoBanner(service.url).trimEnd()),
    });
    await service.close();
    return 0;
  },
};
