/**
 * One connection over standard input and output, for Postfix's spawn(8), which gives the client's socket as
 * file descriptors 0, 1 and 2; and for pipes, when people try the bridge by hand.
 *
 * Nothing else in the process may write to standard output or standard error: a log line there would break
 * the protocol.
 */
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { Arrivals } from "./arrivals.ts";
import {
  type ConnectionContext,
  type ConnectionLog,
  DEFAULT_REQUEST_TIMEOUT,
  PolicyConnection,
  type PolicyHandler,
} from "./connection.ts";
import { DEFAULT_PARSER_LIMITS, type ParserLimits } from "./parser.ts";

export interface StdioOptions {
  /** `listener` in expressions and in the log; `stdio` by default. */
  readonly name?: string | undefined;
  readonly handle: PolicyHandler;
  readonly log: ConnectionLog;
  /** Milliseconds, 10,000 by default. */
  readonly requestTimeout?: number | undefined;
  readonly limits?: ParserLimits | undefined;
}

export interface StdioConnection {
  /** Settles when the client has gone, or the connection was ended. */
  readonly ended: Promise<void>;
  /** How many requests were complete. */
  readonly requests: number;
  /** From now on requests go to `handle`. */
  setHandler(handle: PolicyHandler): void;
  /** Answers what has been received complete, then ends. */
  drain(): void;
}

/** Serves the client at standard input and output. */
export function serveStdio(options: StdioOptions): StdioConnection {
  let onEnded: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    onEnded = resolve;
  });
  const context: ConnectionContext = {
    listener: options.name ?? "stdio",
    log: options.log,
    arrivals: new Arrivals(),
    requestTimeout: options.requestTimeout ?? DEFAULT_REQUEST_TIMEOUT,
    limits: options.limits ?? DEFAULT_PARSER_LIMITS,
    handle: options.handle,
    requests: 0,
    malformed: 0,
    ended: () => onEnded(),
  };
  const [input, output] = standardStreams();
  const connection = new PolicyConnection(input, output, "stdio", context);
  return {
    ended,
    get requests() {
      return context.requests;
    },
    setHandler: (handle) => {
      context.handle = handle;
    },
    drain: () => connection.drain(),
  };
}

/**
 * One socket for both directions where it is one: Node's own process.stdout writes synchronously, so that a
 * client that does not read would stop the process.
 */
function standardStreams(): [Readable, Writable] {
  const input = fstatSync(0);
  const output = fstatSync(1);
  if (!input.isSocket() || input.ino !== output.ino || input.dev !== output.dev) {
    return [process.stdin, process.stdout];
  }
  const socket = new Socket({ fd: 0, readable: true, writable: true, allowHalfOpen: true });
  return [socket, socket];
}
