/** `pfxbridge cache`: what a running bridge remembers, out to a file and in from one, so that a new host knows it too. */
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { LoadCounts } from "../bridge/bridge.ts";
import { type ControlTarget, openControl } from "../control/client.ts";
import { replaceFile } from "../files/replace-file.ts";
import { visible } from "../text/visible.ts";
import { type Command, readArguments, UsageError } from "./command.ts";
import { CONTROL_HELP, CONTROL_OPTIONS, command, controlTarget, orFail } from "./control-target.ts";

export const cache: Command = {
  help: [
    "Usage: pfxbridge cache export [-o FILE]",
    "       pfxbridge cache load FILE",
    "",
    "export writes the decisions that the running bridge remembers, a line of JSON",
    "each, to standard output or to a file that only its owner can read. load takes",
    "them in; - is standard input. Where cache.secret is set they are signed, and",
    "others are refused.",
    "",
    "  -o, --output FILE      write there",
    ...CONTROL_HELP,
    "",
    "  ssh old pfxbridge cache export | pfxbridge cache load -",
  ].join("\n"),
  async run(args) {
    const options = { ...CONTROL_OPTIONS, output: { type: "string", short: "o" } } as const;
    const { values, positionals } = readArguments(args, options, true);
    const [what, file, ...more] = positionals;
    if (what === "export" && file === undefined) return exportTo(values.output, controlTarget(values));
    if (what === "load" && file !== undefined && more.length === 0 && values.output === undefined) {
      return load(file, controlTarget(values));
    }
    throw new UsageError("expected `cache export [-o FILE]` or `cache load FILE`");
  },
};

async function exportTo(file: string | undefined, target: ControlTarget): Promise<number> {
  const lines = orFail(await openControl(target, { method: "GET", path: "/v1/cache" }));
  if (file === undefined) {
    try {
      await pipeline(lines, process.stdout, { end: false });
      // The last of it has been taken, not written.
      await new Promise<void>((resolve, reject) => {
        process.stdout.write("", (error) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      // Whoever reads has seen enough, as `head` does.
      if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw incomplete(error);
    }
    return 0;
  }
  // Half an export must not stand where a whole one is looked for.
  try {
    await replaceFile(resolve(file), async (partial) => {
      for await (const chunk of lines) await partial.appendFile(chunk);
    });
  } catch (error) {
    throw incomplete(error);
  }
  return 0;
}

function incomplete(error: unknown): Error {
  return new Error(`the export is not complete: ${(error as Error).message}`);
}

async function load(file: string, target: ControlTarget): Promise<number> {
  const body = file === "-" ? process.stdin : createReadStream(file);
  const counts = await command<LoadCounts>(target, { method: "POST", path: "/v1/cache", body });
  const { loaded, refused, forgotten } = counts;
  console.log(`${loaded} loaded, ${refused} refused`);
  if (forgotten !== undefined) console.log(`to be forgotten, as where it was exported: ${forgotten}`);
  for (const [reason, count] of Object.entries(counts.reasons)) {
    console.log(visible(`  ${count}: ${reason}`));
  }
  return loaded === 0 && forgotten === undefined && refused > 0 ? 1 : 0;
}
