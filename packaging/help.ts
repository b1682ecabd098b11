/** What the built command says of itself with `--help`: the one table of commands and options that completions and manual pages are made from. */
import { execFileSync } from "node:child_process";

export interface CommandHelp {
  readonly name: string;
  readonly summary: string;
  /** As `pfxbridge NAME --help` prints it. */
  readonly help: string;
  readonly options: readonly CommandOption[];
  /** Words that may stand as its first argument: `wsdl` and `openapi` of import. */
  readonly words: readonly string[];
}

export interface CommandOption {
  /** `--config`. */
  readonly name: string;
  /** `-c`. */
  readonly short?: string;
  /** What it takes, in the help's own word, `FILE`; absent where it takes nothing. */
  readonly value?: string;
  readonly summary: string;
}

/** Asks the command, by running `program` (dist/main.js) for each. */
export function readHelp(program: string): CommandHelp[] {
  const ask = (...args: string[]) =>
    execFileSync(process.execPath, [program, ...args], { encoding: "utf8" }).trimEnd();
  return commandsIn(ask("--help")).map(({ name, summary }) => {
    const help = ask(name, "--help");
    return { name, summary, help, options: optionsIn(help), words: wordsIn(name, help) };
  });
}

/** Lines such as `  serve    answer Postfix's policy requests`. */
function commandsIn(overview: string): { name: string; summary: string }[] {
  return overview
    .split("\n")
    .map((line) => /^ {2}([a-z]+) +(\S.*)$/.exec(line))
    .filter((found) => found !== null)
    .map(([, name = "", summary = ""]) => ({ name, summary }));
}

/** Lines such as `  -c, --config FILE  the configuration`. */
function optionsIn(help: string): CommandOption[] {
  return help
    .split("\n")
    .map((line) => /^ {2}(?: {4}|(-\w), )(--[a-z][\w-]*)(?: ([A-Z][A-Z|=]*))?(?: +(\S.*))?$/.exec(line))
    .filter((found) => found !== null)
    .map(([, short, name = "", value, summary = ""]) => ({
      name,
      ...(short !== undefined && { short }),
      ...(value !== undefined && { value }),
      summary: summary.split(/[;:.]/)[0] ?? "",
    }));
}

/** Of `Usage: pfxbridge import wsdl FILE|URL …`: wsdl. */
function wordsIn(name: string, help: string): string[] {
  const usage = help.split("\n\n")[0] ?? "";
  const words = usage.split("\n").flatMap((line) => {
    const [, word] = new RegExp(`pfxbridge ${name} ([a-z]+)\\b`).exec(line) ?? [];
    return word === undefined ? [] : [word];
  });
  return [...new Set(words)];
}
