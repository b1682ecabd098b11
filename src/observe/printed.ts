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
  const lines = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      log.info({}, text.trimEnd());
      done();
    },
  });
  globalThis.console = new Console(lines);
}
