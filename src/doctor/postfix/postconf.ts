/**
 * Postfix's own configuration, as postconf(1) tells it: main.cf with its defaults, and the services of master.cf with what
 * their `-o` options put in its place. Bounded in time and size; what postconf has to complain about is handed on.
 */
import { execFile } from "node:child_process";
import { delimiter } from "node:path";
import { promisify } from "node:util";
import { visible } from "../../text/visible.ts";

const run = promisify(execFile);
/** In milliseconds. */
const PATIENCE = 10_000;
const MAX_OUTPUT = 4 * 1024 * 1024;

/** One smtpd of master.cf. */
export interface SmtpdService {
  /** As in `submission/inet`. */
  readonly name: string;
  readonly chroot: boolean;
  /** Processes at most; undefined: `default_process_limit`. 0: no limit. */
  readonly maxProcesses: number | undefined;
  /** Whether an option of its own says so. */
  overrides(parameter: string): boolean;
  /** The value for this service, `$name` expanded. */
  value(parameter: string): string;
}

export interface PostfixConfig {
  readonly folder: string;
  /** Of main.cf, `$name` expanded; empty for one that Postfix does not know. */
  value(parameter: string): string;
  readonly smtpd: readonly SmtpdService[];
}

/** @param folder that of main.cf; undefined: postconf's own */
export async function readPostfix(
  folder: string | undefined,
): Promise<PostfixConfig | { readonly problem: string; readonly absent?: true }> {
  const place = folder === undefined ? [] : ["-c", folder];
  try {
    const [main, services, options] = await Promise.all([
      postconf([...place, "-x"]),
      postconf([...place, "-M"]),
      postconf([...place, "-P"]),
    ]);
    const values = readAssignments(main);
    const value = (name: string) => values.get(name) ?? "";
    return {
      folder: folder ?? value("config_directory"),
      value,
      smtpd: readServices(services, readAssignments(options), value),
    };
  } catch (error) {
    const { code, killed, stderr } = error as { code?: unknown; killed?: boolean; stderr?: string };
    if (code === "ENOENT") return { problem: "there is no postconf on this machine", absent: true };
    if (killed) return { problem: `postconf did not end within ${PATIENCE / 1000} s` };
    if (code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return { problem: "postconf has no end of output" };
    const said = (stderr ?? "").split("\n").filter((line) => !/ warning: /.test(line));
    return { problem: visible(said.find((line) => line !== "") ?? String(error)).slice(0, 500) };
  }
}

async function postconf(args: readonly string[]): Promise<string> {
  // It lies where an ordinary user does not look.
  const path = [process.env.PATH ?? "", "/usr/sbin", "/usr/local/sbin"].join(delimiter);
  const env = { PATH: path, LC_ALL: "C" };
  return (await run("postconf", args, { timeout: PATIENCE, maxBuffer: MAX_OUTPUT, env })).stdout;
}

/** `name = value` a line; of master.cf's options the name is `service/type/name`. */
function readAssignments(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split("\n").flatMap((line) => {
      const split = line.indexOf("=");
      return split === -1 ? [] : [[line.slice(0, split).trim(), line.slice(split + 1).trim()] as const];
    }),
  );
}

/** `postconf -M`: name, type, private, unprivileged, chroot, wakeup, maxproc, command and its arguments. */
function readServices(
  text: string,
  options: ReadonlyMap<string, string>,
  main: (name: string) => string,
): SmtpdService[] {
  return text.split("\n").flatMap((line) => {
    const [service, type, , , chroot, , limit, command] = line.split(/\s+/);
    if (command !== "smtpd") return [];
    const name = `${service}/${type}`;
    const own = (parameter: string) => options.get(`${name}/${parameter}`);
    const value = (parameter: string) => {
      const text = own(parameter);
      return text === undefined ? main(parameter) : expand(text, (other) => own(other) ?? main(other));
    };
    return {
      name,
      chroot: chroot === "y" || (chroot === "-" && Number.parseInt(main("compatibility_level"), 10) < 1),
      maxProcesses: limit === undefined || limit === "-" ? undefined : Number.parseInt(limit, 10),
      overrides: (parameter: string) => own(parameter) !== undefined,
      value,
    };
  });
}

const MOST_EXPANSIONS = 20;

/** `$name`, `${name}` and `$(name)`, as postconf(5) has them; `${name?text}` and `${name:text}` too. */
function expand(text: string, look: (name: string) => string, depth = 0): string {
  if (depth > MOST_EXPANSIONS) return text;
  return text.replace(
    /\$(?:(\w+)|\{(\w+)(?:([?:])([^{}]*))?\}|\((\w+)\))/g,
    (_, bare, braced, operator, alternative, round) => {
      const value = look(bare ?? braced ?? round);
      if (operator === "?") return value === "" ? "" : expand(alternative, look, depth + 1);
      if (operator === ":" && value === "") return expand(alternative, look, depth + 1);
      return expand(value, look, depth + 1);
    },
  );
}

const SECONDS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** A time of Postfix (`100s`, `2m`, `1000`) in milliseconds; undefined where it is none. */
export function postfixTime(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,9})([smhdw]?)$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * (SECONDS[unit] ?? 1) * 1000;
}
