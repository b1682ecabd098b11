/** `pfxbridge demo`: the bridge in front of an authorization service of its own, to see it work before anything is set up. */
import { parseConfig } from "../config/load.ts";
import { demoBanner } from "../demo/banner.ts";
import { DEMO_ENDPOINT, demoConfig } from "../demo/config.ts";
import { playOutage } from "../demo/outage.ts";
import { startDemoService } from "../demo/service.ts";
import { type Command, readArguments } from "./command.ts";
import { runDaemon } from "./daemon.ts";

export const demo: Command = {
  help: [
    "Usage: pfxbridge demo [--outage]",
    "",
    "Starts an embedded authorization service (AuthZEN and SOAP) with a small table",
    "of who may send from where, and the bridge in front of it on 127.0.0.1:9998.",
    "",
    "      --outage  show at once what happens while the service is down; on a",
    "                terminal the Enter key does so at any time",
  ].join("\n"),
  async run(args) {
    const { values } = readArguments(args, { outage: { type: "boolean", default: false } });
    const service = await startDemoService();
    // While the bridge runs, what is printed goes to its log.
    const { console } = globalThis;
    let isPlaying = false;
    const play = async () => {
      if (isPlaying) return;
      isPlaying = true;
      await playOutage(service, DEMO_ENDPOINT, (line) => console.log(line));
      isPlaying = false;
    };
    await runDaemon({
      load: () => parseConfig(demoConfig(service.url), "demo.yaml"),
      mayStayRoot: true,
      onReady: () => {
        console.log(demoBanner(service.url, DEMO_ENDPOINT, process.stdin.isTTY).trimEnd());
        if (values.outage) void play();
        if (process.stdin.isTTY) listenToKeys(play);
      },
    });
    await service.close();
    return 0;
  },
};

/** A terminal that is closed ends it: SIGHUP alone would load the configuration again. */
function listenToKeys(play: () => Promise<void>): void {
  const end = () => void process.kill(process.pid, "SIGTERM");
  process.stdin
    .on("data", () => void play())
    .once("end", end)
    .once("error", end);
  process.stdin.unref();
}
