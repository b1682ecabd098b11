/** `pfxbridge check`: is the configuration right, and do its mappings do what their examples say? */
import type { Config } from "../config/config.ts";
import { findConfig, passedOverAsRoot } from "../config/find.ts";
import { loadConfig } from "../config/load.ts";
import { missingOnMachine } from "../config/machine.ts";
import { runsAsRoot } from "../files/hands.ts";
import { findMapping, shippedMappings } from "../mapping/find.ts";
import { type LoadedMapping, loadMapping } from "../mapping/load.ts";
import { formatProblem, type Problem, ProblemError } from "../source/problem.ts";
import { visible } from "../text/visible.ts";
import { type Command, readArguments } from "./command.ts";
import { becomeHarmless } from "./privileges.ts";
import { closedFolders, unreadable, unwritable } from "./within-reach.ts";

export const check: Command = {
  help: [
    "Usage: pfxbridge check [-c FILE]",
    "       pfxbridge check MAPPING …",
    "",
    "Validates the configuration and its mappings, and runs the mappings' examples.",
    "With names or files of mappings: these alone. Where no configuration is found:",
    "the mappings that come with pfxbridge.",
    "",
    "  -c, --config FILE  the configuration; default ./pfxbridge.yaml (not as root),",
    "                     then /etc/pfxbridge/pfxbridge.yaml",
    "",
    "Exit status: 0 all is well (warnings aside), 1 something is wrong, or a",
    "configuration was passed over.",
  ].join("\n"),
  async run(args) {
    const { values, positionals } = readArguments(args, { config: { type: "string", short: "c" } }, true);
    if (positionals.length > 0) return checkMappings(positionals);
    let file: string;
    try {
      file = findConfig(values.config);
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      console.log(`No configuration to check: ${error.problems[0]?.file} ${error.problems[0]?.message}.`);
      console.log("Checking the mappings that come with pfxbridge.\n");
      const status = await checkMappings(shippedMappings());
      // The first lines have left the screen by now, and what has passed is not what was meant.
      const passedOver = passedOverAsRoot();
      if (passedOver === undefined) {
        console.log("No configuration was checked: see the first line.");
        return status;
      }
      console.log(
        `No configuration was checked: as root ${visible(passedOver)} is passed over. To check it: pfxbridge check -c pfxbridge.yaml`,
      );
      return 1;
    }
    const config = await loadConfig(file);
    // Before root's rights are gone: what the bridge opens as root need not be its user's to see.
    const missing = await missingOnMachine(config);
    const givesUpRoot = config.user !== undefined && runsAsRoot();
    // A bridge that stays root writes as root, whoever its modules run as here.
    const asRoot = givesUpRoot ? [] : await unwritable(config);
    becomeHarmless({ ...config, mappings: [...config.services.values()].map(({ mapping }) => mapping) });
    const asUser = givesUpRoot
      ? [...unreadable(config), ...(await unwritable(config)), ...closedFolders(config)]
      : [];
    return checkConfig(config, [...missing, ...asRoot, ...asUser]);
  },
};

async function checkConfig(config: Config, missing: readonly Problem[]): Promise<number> {
  const tally = new Tally();
  console.log(
    `${config.file}: ${counted(config.services.size, "service")}, ${counted(config.routes.length, "route")}`,
  );
  for (const line of logLines(config.log)) console.log(`log: ${line}`);
  // Those of the mappings come with them.
  for (const warning of config.warnings) if (warning.file === config.file) tally.warn(warning);
  for (const warning of missing) tally.warn(warning);
  for (const { name, mapping, cache } of config.services.values()) {
    console.log(`\nservice ${name}: ${headLine(mapping)}`);
    if (cache?.markStale) {
      // An action has one verb: what is no DUNNO has no room for the mark.
      console.log(
        `  mark_stale: from a stale reply DUNNO becomes ${cache.markStale}; other actions stay as they are`,
      );
    }
    await checkMapping(mapping, tally);
  }
  return tally.conclude();
}

/** What the log does not have of decisions. */
function logLines({ sample, redact }: Config["log"]): string[] {
  const lines: string[] = [];
  if (sample !== undefined) {
    const parts = [...sample]
      .map(([name, part]) => `${name} ${Math.round(part * 10_000) / 100} %`)
      .join(", ");
    const others = sample.has("default") && sample.has("stale") ? "" : "; what went wrong is whole";
    lines.push(`of decisions a part is logged: ${parts}${others}`);
  }
  if (redact !== undefined) {
    const how = redact.key === undefined ? "masked" : "hashed with a key";
    lines.push(`${redact.fields.join(", ")}: ${how}, in every line`);
  }
  return lines;
}

async function checkMappings(names: readonly string[]): Promise<number> {
  const tally = new Tally();
  const mappings: LoadedMapping[] = [];
  for (const name of names) {
    mappings.push(await loadMapping({ name, file: findMapping(name, "pfxbridge.yaml"), parameters: {} }));
  }
  becomeHarmless({ mappings });
  for (const [index, mapping] of mappings.entries()) {
    console.log(`${index === 0 ? "" : "\n"}${headLine(mapping)}`);
    await checkMapping(mapping, tally);
  }
  return tally.conclude();
}

/** Name and file, and what it was made for. */
function headLine({ name, file, product }: LoadedMapping): string {
  return visible(`mapping ${name} (${file})${product === "" ? "" : `, for ${product}`}`);
}

async function checkMapping(loaded: LoadedMapping, tally: Tally): Promise<void> {
  await loaded.instantiate();
  for (const warning of [...loaded.warnings, ...(await loaded.probe())]) tally.warn(warning);
  for (const { name, passed, message, line } of await loaded.check()) {
    tally.example(name, passed, `${loaded.file}:${line}: ${message}`);
  }
  if (loaded.examples.length === 0) console.log("  no examples");
}

/** Prints results as they come, like a test runner, and counts them. */
class Tally {
  #passed = 0;
  #failed = 0;
  #warnings = 0;

  warn(problem: Problem): void {
    this.#warnings++;
    console.log(`  ! ${visible(formatProblem(problem))}`);
  }

  example(name: string, passed: boolean, message: string): void {
    if (passed) this.#passed++;
    else this.#failed++;
    console.log(`  ${passed ? "✓" : "✗"} ${visible(name)}`);
    if (!passed) console.log(`      ${visible(message)}`);
  }

  /** Prints the sum and gives the exit status. */
  conclude(): number {
    const warnings = this.#warnings === 0 ? "" : `, ${counted(this.#warnings, "warning")}`;
    console.log(`\n${counted(this.#passed, "example")} passed, ${this.#failed} failed${warnings}`);
    return this.#failed === 0 ? 0 : 1;
  }
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
