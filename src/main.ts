#!/usr/bin/env node
/**
 * The `pfxbridge` command: picks one of commands/ and turns what it throws into a message and an exit status.
 *
 * Exit status: 0 fine, 1 the work failed, 2 wrong usage. No stack trace reaches a user.
 */
import { type Command, UsageError } from "./commands/command.ts";
import { Printing } from "./commands/printing.ts";
import { writesUnderWay } from "./observe/destination.ts";
import { ProblemError } from "./source/problem.ts";
import { VERSION } from "./version.ts";

// Loaded when asked for: `try` and `check` need no listeners, and the service starts the sooner.
const COMMANDS: Record<string, { summary: string; load: () => Promise<Command> }> = {
  init: {
    summary: "write a configuration to start from, and say what goes into main.cf",
    load: async () => (await import("./commands/init.ts")).init,
  },
  serve: {
    summary: "answer Postfix's policy requests",
    load: async () => (await import("./commands/serve.ts")).serve,
  },
  check: {
    summary: "validate the configuration and its mappings, run their examples",
    load: async () => (await import("./commands/check.ts")).check,
  },
  try: {
    summary: "make one decision and explain it step by step",
    load: async () => (await import("./commands/try.ts")).tryOut,
  },
  doctor: {
    summary: "what is amiss between Postfix, the bridge and its services",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  import: {
    summary: "write a mapping to start from, from a WSDL or an OpenAPI document",
    load: async () => (await import("./commands/import.ts")).importDescription,
  },
  mappings: {
    summary: "the mappings that come with it: what each is for, asks and needs",
    load: async () => (await import("./commands/mappings.ts")).mappings,
  },
  status: {
    summary: "what a running bridge does: what is down, what is answered",
    load: async () => (await import("./commands/status.ts")).status,
  },
  why: {
    summary: "why a message was refused, or passed: how one decision came about",
    load: async () => (await import("./commands/why.ts")).why,
  },
  reload: {
    summary: "load the configuration of a running bridge again, and say what came of it",
    load: async () => (await import("./commands/reload.ts")).reload,
  },
  offline: {
    summary: "make no calls for now: a planned outage",
    load: async () => (await import("./commands/offline.ts")).offline,
  },
  online: {
    summary: "make calls again",
    load: async () => (await import("./commands/online.ts")).online,
  },
  forget: {
    summary: "forget remembered decisions: of a blocked account, say",
    load: async () => (await import("./commands/forget.ts")).forget,
  },
  cache: {
    summary: "export remembered decisions, or load them",
    load: async () => (await import("./commands/cache.ts")).cache,
  },
  demo: {
    summary: "the bridge in front of an embedded authorization service",
    load: async () => (await import("./commands/demo.ts")).demo,
  },
};

function overview(): string {
  const names = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`);
  return [
    "pfxbridge: a Postfix policy service that asks your authorization service",
    "",
    "Usage: pfxbridge COMMAND [OPTIONS]",
    "",
    ...names,
    "",
    "  -h, --help      this help; after a command, the command's own",
    "  -V, --version   the version",
    "",
    "Exit status: 0 fine, 1 the check or the decision failed, 2 wrong usage.",
  ].join("\n");
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  // Nobody's command: `serve` starts such processes of its own.
  if (name === "worker" && process.send !== undefined) {
    await (await import("./workers/worker.ts")).runWorker();
    return 0;
  }
  if (name === "-h" || name === "--help" || name === "help") {
    console.log(overview());
    return 0;
  }
  if (name === "-V" || name === "--version") {
    console.log(`pfxbridge ${VERSION}`);
    return 0;
  }
  const entry = name === undefined || !Object.hasOwn(COMMANDS, name) ? undefined : COMMANDS[name];
  if (entry === undefined) {
    throw new UsageError(
      name === undefined ? "a command is needed" : `unknown command ${JSON.stringify(name)}`,
    );
  }
  const command = await entry.load();
  if (rest.includes("-h") || rest.includes("--help")) {
    console.log(command.help);
    return 0;
  }
  return command.run(rest);
}

function fail(error: unknown): number {
  // Under spawn(8) standard error is the mail system's connection: a word there breaks the protocol.
  const say = process.argv.includes("--stdio") ? () => {} : (text: string) => printing.console.error(text);
  if (error instanceof UsageError) {
    const [name = ""] = process.argv.slice(2);
    const command = Object.hasOwn(COMMANDS, name) ? `${name} ` : "";
    say(`pfxbridge: ${error.message}\nTry "pfxbridge ${command}--help".`);
    return 2;
  }
  say(error instanceof ProblemError ? error.message : `pfxbridge: ${(error as Error)?.message ?? error}`);
  return 1;
}

/** A module may have left timers or sockets behind; they do not keep the process. */
function leave(status: number): void {
  // Node waits for a write that sleeps in the system, on a disk that does not answer, say.
  if (writesUnderWay() > 0) process.kill(process.pid, "SIGKILL");
  process.exit(status);
}

const printing = new Printing();
globalThis.console = printing.console;
const status = await main(process.argv.slice(2)).catch(fail);
await printing.end();
leave(status);
