/** What a command is, and how its arguments are read: the same words and the same errors for all of them. */
import { type ParseArgsConfig, parseArgs } from "node:util";

export interface Command {
  /** What `-h` prints. */
  readonly help: string;
  /** Does the work; resolves to the exit status. */
  run(args: readonly string[]): Promise<number>;
}

/** The command was called wrongly: exit status 2. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig["options"]>;

/**
 * Reads the arguments of a command.
 *
 * @throws UsageError that says which argument is wrong
 */
export function readArguments<const T extends Options>(
  args: readonly string[],
  options: T,
  positionals = false,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: positionals, strict: true });
  } catch (error) {
    // Node appends advice about "--" that runs over several sentences; the first one says what is wrong.
    throw new UsageError((error as Error).message.split(/\. |\n/)[0]);
  }
}
