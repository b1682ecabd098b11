/**
 * The authorization service that `pfxbridge demo` asks: a stand-in for the company's own, on a free port of 127.0.0.1.
 *
 * Two interfaces to one table of permissions: AuthZEN at /access/v1/evaluation, SOAP 1.1 at /soap. Requests are limited
 * in size and in time; what is wrong with one is its sender's business and costs nobody else anything.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { boundedText } from "../model/bounded-text.ts";
import { EVALUATION_PATH, evaluate } from "./authzen.ts";
import type { DemoReply } from "./reply.ts";
import { check, SOAP_PATH } from "./soap.ts";

export interface DemoService {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  /** Nobody listens there any more, and connections are cut. */
  stop(): Promise<void>;
  /** Listens again, where it did before. */
  start(): Promise<void>;
  /** Ends at once, connections in use included. */
  close(): Promise<void>;
}

const MAX_BODY = 65_536;

const INTERFACES: ReadonlyMap<string, (body: string) => DemoReply> = new Map([
  [EVALUATION_PATH, evaluate],
  [SOAP_PATH, check],
]);

/** Starts it. Rejects when no port can be had. */
export async function startDemoService(): Promise<DemoService> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => {
        server.off("error", reject);
        resolve();
      });
    });
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, stop, start: () => listen(port), close: stop };
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const reply = await replyTo(request);
  const headers: Record<string, string> = { "content-type": reply.contentType };
  // AuthZEN Authorization API 1.0: a request's identifier is echoed.
  const requestId = request.headers["x-request-id"];
  if (typeof requestId === "string") headers["x-request-id"] = requestId;
  // The rest of a body that was not read would be taken for the next request.
  if (!request.complete) headers.connection = "close";
  response.writeHead(reply.status, headers).end(reply.body);
}

async function replyTo(request: IncomingMessage): Promise<DemoReply> {
  const answerTo = INTERFACES.get((request.url ?? "").split("?")[0] ?? "");
  if (answerTo === undefined) return refusal(404, `ask ${[...INTERFACES.keys()].join(" or ")}`);
  if (request.method !== "POST") return refusal(405, "use POST");
  const body = await boundedText(request.iterator({ destroyOnReturn: false }), MAX_BODY);
  return body === null ? refusal(413, `no more than ${MAX_BODY} bytes, please`) : answerTo(body);
}

function refusal(status: number, text: string): DemoReply {
  return { status, contentType: "text/plain", body: `${text}\n` };
}
