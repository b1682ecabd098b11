/** A listener for tests: on a free port of loopback, with its log kept; closed when the test ends. */
import { onTestFinished } from "vitest";
import type { ConnectionLog, PolicyHandler } from "../../src/postfix/connection.ts";
import type { Endpoint } from "../../src/postfix/endpoint.ts";
import { type ListenerOptions, listen, type PolicyListener } from "../../src/postfix/listener.ts";
import { PolicyClient } from "../support/policy-client.ts";

export interface LogLine {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

export function recordingLog(): { log: ConnectionLog; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: fields as Record<string, unknown>, message });
  };
  return { lines, log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") } };
}

export const LOOPBACK: Endpoint = { kind: "inet", host: "127.0.0.1", port: 0 };

export interface Listening {
  readonly listener: PolicyListener;
  readonly lines: LogLine[];
  connect(): Promise<PolicyClient>;
}

export async function listening(
  handle: PolicyHandler,
  options: Partial<ListenerOptions> = {},
): Promise<Listening> {
  const { log, lines } = recordingLog();
  const listener = await listen({ endpoint: LOOPBACK, handle, log, ...options });
  if ("problem" in listener) throw new Error(listener.problem);
  const clients: PolicyClient[] = [];
  onTestFinished(async () => {
    for (const client of clients) client.end();
    await listener.close({ graceMs: 0 });
  });
  return {
    listener,
    lines,
    connect: async () => {
      const client = await PolicyClient.connect(listener.endpoint);
      clients.push(client);
      return client;
    },
  };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
