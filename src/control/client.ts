/**
 * Speaks to a running bridge through its control endpoint. What goes wrong comes back in words: no bridge there, no
 * rights, a token that does not fit, or what the bridge itself has to say.
 */

import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Secret } from "../config/secret.ts";
import { boundedText } from "../model/bounded-text.ts";
import { type Endpoint, formatEndpoint } from "../postfix/endpoint.ts";
import { visible } from "../text/visible.ts";
import type { Refusal } from "./controls.ts";

/** A bridge that can be spoken to. */
export interface ControlTarget {
  readonly endpoint: Endpoint;
  readonly token?: Secret;
}

export interface ControlRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** What is sent: JSON, or a stream of NDJSON. */
  readonly body?: object | AsyncIterable<Buffer>;
  /** Milliseconds without a byte after which it is given up; by default 30 s. */
  readonly patience?: number;
}

/** There is no bridge, or it does not answer. */
interface Absence extends Refusal {
  readonly absent: true;
}

/** Nothing moves for so long: given up, in milliseconds. */
const IDLE_TIME = 30_000;
const MAX_REPLY = 16 * 1024 * 1024;

/**
 * Asks and gives the JSON of the reply.
 *
 *     await askControl({ endpoint }, { method: "GET", path: "/v1/status" })
 */
export async function askControl(target: ControlTarget, request: ControlRequest): Promise<object | Refusal> {
  const reply = await openControl(target, request);
  if ("problem" in reply) return reply;
  return readReply(reply, target);
}

/** Asks and gives a reply that is still to be read: with status 200, anything else is a problem. */
export async function openControl(
  target: ControlTarget,
  request: ControlRequest,
): Promise<IncomingMessage | Refusal> {
  const reply = await send(target, request);
  if ("problem" in reply || reply.statusCode === 200) return reply;
  const said = await readReply(reply, target);
  if ("problem" in said) return said;
  const error = "error" in said ? visible(String(said.error)) : `HTTP status ${reply.statusCode}`;
  if (reply.statusCode !== 401) return { problem: error };
  const shown = target.token === undefined ? "none was shown" : "the one shown is another";
  return { problem: `${error}; ${shown}. Name the configuration with -c, or --token-file` };
}

function send(
  target: ControlTarget,
  { method, path, body, patience = IDLE_TIME }: ControlRequest,
): Promise<IncomingMessage | Refusal> {
  const { endpoint, token } = target;
  const stream = body !== undefined && Symbol.asyncIterator in body ? body : undefined;
  const json = body !== undefined && stream === undefined ? JSON.stringify(body) : undefined;
  const headers = {
    ...(json !== undefined && {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(json),
    }),
    ...(stream !== undefined && { "content-type": "application/x-ndjson" }),
    // node:http writes header values as Latin-1.
    ...(token !== undefined && {
      authorization: `Bearer ${Buffer.from(token.reveal()).toString("latin1")}`,
    }),
  };
  return new Promise((resolve) => {
    const place =
      endpoint.kind === "unix"
        ? { socketPath: endpoint.path, host: "localhost" }
        : { host: endpoint.host, port: endpoint.port };
    const request = httpRequest({ ...place, method, path, headers, agent: false });
    request.setTimeout(patience, () =>
      request.destroy(new Error(`it said nothing for ${patience / 1000} s`)),
    );
    request.once("response", resolve);
    request.on("error", (error: NodeJS.ErrnoException) => {
      const problem = connectionProblem(error, endpoint);
      const absence: Absence = { problem, absent: true };
      resolve(error.code === "EACCES" || error.code === "EPERM" ? { problem } : absence);
    });
    if (stream === undefined) request.end(json);
    else void sendStream(stream, request, (problem) => resolve({ problem }));
  });
}

async function sendStream(
  stream: AsyncIterable<Buffer>,
  request: ReturnType<typeof httpRequest>,
  failed: (problem: string) => void,
): Promise<void> {
  try {
    for await (const chunk of stream) {
      if (request.destroyed) return;
      if (!request.write(chunk))
        await new Promise((resolve) => request.once("drain", resolve).once("close", resolve));
    }
    request.end();
  } catch (error) {
    failed(`cannot be read: ${(error as Error).message}`);
    request.destroy();
  }
}

async function readReply(reply: IncomingMessage, { endpoint }: ControlTarget): Promise<object | Refusal> {
  const where = formatEndpoint(endpoint);
  try {
    const text = await boundedText(reply, MAX_REPLY);
    if (text === null) return { problem: `${where} sent more than ${MAX_REPLY} bytes` };
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null) return json;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined) return { problem: connectionProblem(error as Error, endpoint) };
  }
  return { problem: `what answers on ${where} is no pfxbridge` };
}

function connectionProblem(error: NodeJS.ErrnoException, endpoint: Endpoint): string {
  const where = formatEndpoint(endpoint);
  switch (error.code) {
    case "ENOENT":
      return `no bridge is running: there is no socket ${where}`;
    case "ECONNREFUSED":
      return `no bridge is running: nobody listens on ${where}`;
    case "EACCES":
    case "EPERM":
      return `no rights to connect to ${where}: run this as its owner or as root, or see control.mode, owner and group`;
    case "ECONNRESET":
    case "EPIPE":
      return `${where} closed the connection; is it a control endpoint?`;
    default:
      if (error.code?.startsWith("HPE_")) return `what answers on ${where} is no pfxbridge`;
      return `no answer from the bridge at ${where}: ${error.message}`;
  }
}
