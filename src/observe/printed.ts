/**
 * What Node, a library or a module prints by itself goes to the log: a terminal or pipe that takes nothing would hold up
 * decisions, and under spawn(8) standard output and standard error are the client's connection.
 */
import { Console } from "node:console";
import { Writable } from "node:stream";
import type { Log } from "./log.ts";

export function logWhatIsPrinted(log: Log): void {
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => log.warn({ name }, message));
  const lines = (level: "info" | "warn") =>
    new Writable({
      decodeStrings: false,
      write(text: string, _encoding, done) {
        if (OF_IOREDIS.test(text)) log.warn({ from: "ioredis" }, withoutStack(text));
        else log[level]({}, text.trimEnd());
        done();
      },
    });
  globalThis.console = new Console(lines("info"), lines("warn"));
}

/** What ioredis has no event for: it tells people who read its source where something went wrong. */
const OF_IOREDIS =
  /^(?:\[ioredis\]|\[(?:WARN|ERROR)\] (?:Redis server|This Redis|The server returned|replyMapping)|Skipping the ready check)/;

function withoutStack(text: string): string {
  return text.replace(/\n\s+at .*/gs, "").trimEnd();
}
