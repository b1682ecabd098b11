/**
 * The control endpoint: an HTTP/1.1 server beside the policy listeners, on a unix socket or, with a token, on TCP.
 *
 * It has limits of its own on connections, sizes and time, and nothing that happens here reaches a decision.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { ControlSocket } from "../config/config.ts";
import type { Secret } from "../config/secret.ts";
import type { Log } from "../observe/log.ts";
import { type Bound, bind } from "../postfix/bind.ts";
import { formatEndpoint } from "../postfix/endpoint.ts";
import { safeJson } from "../text/quote.ts";
import { answer, failure, type Reply } from "./api.ts";
import type { Controls, Refusal } from "./controls.ts";
import { Crowd } from "./crowd.ts";
import { Gate } from "./gate.ts";

const MAX_CONNECTIONS = 64;
const MAX_HEADERS = 8 * 1024;
const HEADERS_TIME = 5_000;
/** A connection on which nothing moves is given up, in milliseconds. */
const IDLE_TIME = 30_000;

export class ControlServer {
  readonly endpoint: string;
  readonly #server: Server;
  #bound: Bound | null = null;
  readonly #log: Log;
  readonly #gate: Gate;
  readonly #crowd = new Crowd(MAX_CONNECTIONS);
  /** Resolves when the bridge is ready to be controlled. */
  readonly #controls: Promise<Controls>;
  #use: (controls: Controls) => void = () => {};

  private constructor(config: ControlSocket, log: Log) {
    this.endpoint = formatEndpoint(config.endpoint);
    this.#gate = new Gate(config, log);
    this.#log = log;
    this.#controls = new Promise((resolve) => {
      this.#use = resolve;
    });
    this.#server = createServer({
      maxHeaderSize: MAX_HEADERS,
      headersTimeout: HEADERS_TIME,
      // Loading a cache takes as long as it takes; what stands still is ended by the idle time.
      requestTimeout: 0,
      connectionsCheckingInterval: 1000,
    });
    this.#server.on("connection", (socket) => this.#crowd.add(socket));
    this.#server.setTimeout(IDLE_TIME);
    this.#server.on("request", (request, response) => void this.#serve(request, response));
  }

  /** Binds the endpoint, with the rights that the process has now. Requests wait until `serve`. */
  static async open(config: ControlSocket, log: Log): Promise<ControlServer | Refusal> {
    if (config.endpoint.kind === "inet" && config.token === undefined) {
      return { problem: `control: ${formatEndpoint(config.endpoint)} needs a token: set control.token` };
    }
    const control = new ControlServer(config, log);
    const bound = await bind(control.#server, config.endpoint, config);
    if ("problem" in bound) return { problem: `control: ${bound.problem}` };
    control.#bound = bound;
    return control;
  }

  /** From now on requests are answered by what `controls` does. */
  serve(controls: Controls): void {
    this.#server.on("error", (error) => this.#log.error({ detail: error.message }, "control endpoint"));
    this.#use(controls);
  }

  get hasToken(): boolean {
    return this.#gate.hasToken;
  }

  /** From now on commands must show this token. */
  setToken(token: Secret): void {
    this.#gate.setToken(token);
  }

  /** Stops; requests under way are cut off. The socket file is removed where the rights allow. */
  async close(): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
    this.#gate.close();
    this.#bound?.leave();
    this.#bound = null;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // The other side may go at any time; what is lost then is its own.
    response.on("error", () => {});
    try {
      await send(response, await this.#answer(request));
    } catch (error) {
      const detail = (await this.#controls).mask((error as Error).message);
      this.#log.warn({ path: request.url, detail }, "a command was not carried out to its end");
      if (response.headersSent) response.destroy();
      else await send(response, failure(503, detail));
    }
  }

  async #answer(request: IncomingMessage): Promise<Reply> {
    const refusal = await this.#gate.refusal(request);
    if (refusal !== undefined) return refusal;
    this.#crowd.know(request.socket);
    return answer(request, await this.#controls);
  }
}

async function send(response: ServerResponse, reply: Reply): Promise<void> {
  if ("lines" in reply) {
    const lines = reply.lines[Symbol.asyncIterator]();
    // Where the store cannot be read at all, that can still be said.
    const first = await lines.next();
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    await pipeline(withLineEnds(first, lines), response);
    return;
  }
  const text = `${safeJson(JSON.stringify(reply.json))}\n`;
  response.writeHead(reply.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    // What is left of a body that was not read would be taken for the next request.
    ...(reply.status >= 400 && { connection: "close" }),
    ...reply.headers,
  });
  response.end(text);
}

async function* withLineEnds(
  first: IteratorResult<string>,
  lines: AsyncIterator<string>,
): AsyncGenerator<string, void> {
  try {
    for (let line = first; !line.done; line = await lines.next()) yield `${line.value}\n`;
  } finally {
    // Whoever reads may leave early.
    await lines.return?.();
  }
}
