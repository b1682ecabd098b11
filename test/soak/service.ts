/**
 * The authorization service, in a process of its own so that it can be killed: `service.js PORT TOKEN`.
 *
 * Of 100 calls five fail, each in one of the ways in which services fail, and now and then a connection that has served
 * is closed without a word. It tells its parent of each call before it replies: what is remembered must have been said.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import type { Cause } from "../../src/model/failure.ts";
import { type Call, keyOf, refusalOf } from "./truth.ts";

/** Told of each call: what came of it, as far as the service is concerned. */
export interface Told {
  readonly key: string;
  readonly at: number;
  /** `slow`: replied to, after a time that a busy machine may make too long. */
  readonly outcome: "reply" | "slow" | Cause;
}

/** Asked of the service: to refuse these senders from now on. Answered with the same. */
export interface Revoke {
  readonly revoke: readonly string[];
}

const FAILURES = 0.05;
const SLOW = 0.01;
const CLOSED_AFTERWARDS = 0.01;
/** Milliseconds. */
const SLOW_TIME = 200;

const [port, token] = process.argv.slice(2);
const revoked = new Set<string>();

interface Failing {
  readonly cause: Cause;
  fail(response: ServerResponse, request: IncomingMessage): void;
}

const FAILING: readonly Failing[] = [
  { cause: "http_5xx", fail: (response, request) => reply(response, 500, `trouble: ${said(request)}`) },
  {
    cause: "http_5xx",
    fail: (response) => response.writeHead(503, { "retry-after": "1", "content-length": 0 }).end(),
  },
  { cause: "http_4xx", fail: (response, request) => reply(response, 403, `firewall: ${said(request)}`) },
  { cause: "unreachable", fail: (response) => response.socket?.destroy() },
  { cause: "timeout", fail: () => {} },
  { cause: "bad_reply", fail: (response) => reply(response, 200, "<html>Please log in</html>") },
  { cause: "bad_reply", fail: (response) => reply(response, 200, '{"allowed":"true"}') },
  {
    cause: "bad_reply",
    fail: (response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": 100 });
      response.write('{"allowed":true', () => response.socket?.destroy());
    },
  },
];

function said({ headers }: IncomingMessage): string {
  return `I was shown ${headers.authorization}`;
}

function reply(response: ServerResponse, status: number, body: string): void {
  const type = body.startsWith("{") ? "application/json" : "text/plain";
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) }).end(body);
}

function tell(key: string, outcome: Told["outcome"]): void {
  const told: Told = { key, at: Date.now(), outcome };
  process.send?.(told);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const call = JSON.parse(await text(request)) as Call;
  const key = keyOf(call);
  const chance = Math.random();
  if (chance < FAILURES) {
    const { cause, fail } = FAILING[Math.floor(Math.random() * FAILING.length)]!;
    tell(key, cause);
    fail(response, request);
    return;
  }
  const isSlow = chance < FAILURES + SLOW;
  tell(key, isSlow ? "slow" : "reply");
  if (isSlow) await new Promise((resolve) => setTimeout(resolve, SLOW_TIME));
  const shown = request.headers.authorization?.replace("Bearer ", "") ?? "nothing";
  const reason = refusalOf(call, revoked.has(call.sender), shown);
  if (chance > 1 - CLOSED_AFTERWARDS) {
    response.once("finish", () => setTimeout(() => response.socket?.destroy(), 1));
  }
  reply(response, 200, JSON.stringify(reason === null ? { allowed: true } : { allowed: false, reason }));
}

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  if (request.headers.authorization !== `Bearer ${token}`) reply(response, 401, "");
  // A call may be given up while it comes.
  else answer(request, response).catch(() => response.destroy());
});
process.on("message", (message: Revoke) => {
  for (const sender of message.revoke) revoked.add(sender);
  process.send?.(message);
});
process.on("disconnect", () => process.exit());
server.listen(Number(port), "127.0.0.1", () => process.send?.("listening"));
