/**
 * What the files of a configuration held when it was read, so that another process of the bridge can load the very same
 * one: also when the files have changed since, or can no longer be read.
 */

/** Texts by absolute path. Plain, to be sent to another process. */
export type Contents = Readonly<Record<string, string>>;

/** Larger files are read again by whoever needs them, in characters. */
const MOST_KEPT = 1024 * 1024;

/** Before the name of a variable among the contents; no absolute path begins like that. */
const VARIABLE = "env:";

let kept: Map<string, string> | null = null;
let given: ReadonlyMap<string, string> = new Map();

/** Loads something, and keeps what was read for it. One at a time. */
export async function keepingContents<T>(
  load: () => Promise<T>,
): Promise<{ readonly loaded: T; readonly contents: Contents }> {
  const reading = new Map<string, string>();
  kept = reading;
  try {
    return { loaded: await load(), contents: Object.fromEntries(reading) };
  } finally {
    kept = null;
  }
}

/** Loads something from texts that were read before, and from files where there is none. One at a time. */
export async function fromContents<T>(contents: Contents, load: () => Promise<T>): Promise<T> {
  given = new Map(Object.entries(contents));
  try {
    return await load();
  } finally {
    given = new Map();
  }
}

/** A variable of the environment, which may hold a secret: kept and given as a file is. */
export function environmentVariable(name: string): string | undefined {
  const value = givenContent(VARIABLE + name) ?? process.env[name];
  if (value !== undefined) keepContent(VARIABLE + name, value);
  return value;
}

/** The environment of a process that gets these contents: without the variables that are among them. */
export function environmentWithout(contents: Contents): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !(VARIABLE + name in contents)));
}

export function givenContent(path: string): string | undefined {
  return given.get(path);
}

export function keepContent(path: string, text: string): void {
  if (text.length <= MOST_KEPT) kept?.set(path, text);
}
