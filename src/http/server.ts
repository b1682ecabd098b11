/**
 * An HTTP/1.1 server of the bridge's own beside the policy listeners: the control endpoint, and the admin endpoint.
 *
 * It has limits of its own on connections, sizes and time, and nothing that happens here reaches a decision. Who may ask is
 * the gate's business; what is answered, the endpoint's. Who does not read what was answered is cut off.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createSecureServer, Server as SecureServer } from "node:https";
import { pipeline } from "node:stream/promises";
import type { Log } from "../observe/log.ts";
import { type Bound, bind } from "../postfix/bind.ts";
import { type Endpoint, formatEndpoint } from "../postfix/endpoint.ts";
import type { SocketRights } from "../postfix/socket-file.ts";
import { safeJson } from "../text/quote.ts";
import { Crowd } from "./crowd.ts";
import type { Gate } from "./gate.ts";
import { failure, type Reply } from "./reply.ts";

/** A certificate with its chain, and its key: PEM. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
}

export interface HttpOptions {
  /** The key of the configuration, for messages. */
  readonly key: "control" | "admin";
  readonly endpoint: Endpoint;
  /** Of a socket file. */
  readonly rights: SocketRights;
  readonly tls?: ServerTls | undefined;
  readonly gate: Gate;
  /** Paths that may be asked without showing anything. */
  readonly open?: ReadonlySet<string>;
  /** Whether what comes in has all the time that it takes, as long as it comes. */
  readonly takesStreams?: boolean;
  /** Answers what may pass. */
  readonly answer: (request: IncomingMessage) => Promise<Reply>;
  /** What is to be said, and logged, of an answer that failed; without secrets. */
  readonly failed: (error: Error, request: IncomingMessage) => Promise<string>;
}

const MAX_CONNECTIONS = 64;
const MAX_HEADERS = 8 * 1024;
const HEADERS_TIME = 5_000;
const REQUEST_TIME = 10_000;
/** A connection on which nothing moves is given up, in milliseconds. */
const IDLE_TIME = 30_000;
/** That an answer may take to be read, in milliseconds, where it does not come line by line. */
const READING_TIME = 10_000;

/** Of every reply: no page is to show it, guess what it is, or keep it. */
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

export class HttpEndpoint {
  readonly endpoint: string;
  readonly #options: HttpOptions;
  readonly #log: Log;
  readonly #server: Server;
  readonly #crowd = new Crowd(MAX_CONNECTIONS);
  #bound: Bound | null = null;

  private constructor(options: HttpOptions, log: Log) {
    this.endpoint = formatEndpoint(options.endpoint);
    this.#options = options;
    this.#log = log;
    this.#server = serverOf(options, (request, response) => void this.#serve(request, response));
    // With TLS a connection takes its place before it has shown that it speaks TLS.
    this.#server.on("connection", (socket) => this.#crowd.add(socket));
    this.#server.on("tlsClientError", (_, socket) => socket.destroy());
    this.#server.setTimeout(IDLE_TIME);
  }

  /**
   * Binds the endpoint, with the rights that the process has now.
   *
   * @returns it, or a problem that says what to do
   */
  static async open(options: HttpOptions, log: Log): Promise<HttpEndpoint | { readonly problem: string }> {
    const { key, endpoint, rights } = options;
    let http: HttpEndpoint;
    try {
      http = new HttpEndpoint(options, log);
    } catch (error) {
      return { problem: `${key}.tls cannot be used: ${(error as Error).message}` };
    }
    const bound = await bind(http.#server, endpoint, rights);
    if ("problem" in bound) return { problem: `${key}: ${bound.problem}` };
    http.#bound = bound;
    http.#server.on("error", (error) => log.error({ detail: error.message }, `${key} endpoint`));
    return http;
  }

  /**
   * From now on these are shown to who connects.
   *
   * @throws Error that says why they cannot be used; then the former ones are
   */
  useTls(tls: ServerTls): void {
    if (this.#server instanceof SecureServer)
      this.#server.setSecureContext({ ...tls, minVersion: "TLSv1.2" });
  }

  /** Stops; requests under way are cut off. The socket file is removed where the rights allow. */
  async close(): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
      // One that has not got as far as HTTP.
      this.#crowd.end();
    });
    this.#options.gate.close();
    this.#bound?.leave();
    this.#bound = null;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // The other side may go at any time; what is lost then is its own.
    response.on("error", () => {});
    try {
      await send(request, response, await this.#answer(request));
    } catch (error) {
      const detail = await this.#options.failed(error as Error, request);
      const what =
        this.#options.key === "control" ? "a command was not carried out to its end" : "not answered";
      this.#log.warn({ path: request.url, detail }, what);
      if (response.headersSent) response.destroy();
      else await send(request, response, failure(503, detail));
    }
  }

  async #answer(request: IncomingMessage): Promise<Reply> {
    const { gate, open, answer } = this.#options;
    const refusal = await gate.refusal(request, open?.has(pathOf(request)));
    if (refusal !== undefined) return refusal;
    if (gate.knows(request)) this.#crowd.know(request.socket);
    return answer(request);
  }
}

/** Without its query. */
export function pathOf({ url = "" }: Pick<IncomingMessage, "url">): string {
  return url.split("?")[0]!;
}

function serverOf({ tls, takesStreams = false }: HttpOptions, serve: RequestListener): Server {
  const limits = {
    maxHeaderSize: MAX_HEADERS,
    headersTimeout: HEADERS_TIME,
    // What comes in a stream takes as long as it takes; what stands still is ended by the idle time.
    requestTimeout: takesStreams ? 0 : REQUEST_TIME,
    connectionsCheckingInterval: 1000,
  };
  if (tls === undefined) return createServer(limits, serve);
  const secure = { ...tls, minVersion: "TLSv1.2", handshakeTimeout: HEADERS_TIME } as const;
  return createSecureServer({ ...limits, ...secure }, serve);
}

async function send(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
  if ("lines" in reply) {
    const lines = reply.lines[Symbol.asyncIterator]();
    // Where the store cannot be read at all, that can still be said.
    const first = await lines.next();
    response.writeHead(200, { ...HEADERS, "content-type": "application/x-ndjson" });
    await pipeline(withLineEnds(first, lines), response);
    return;
  }
  const [text, type] =
    "json" in reply
      ? [`${safeJson(JSON.stringify(reply.json))}\n`, "application/json"]
      : [reply.text, reply.type];
  response.writeHead(reply.status, {
    ...HEADERS,
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    // What is left of a body that was not read would be taken for the next request.
    ...(reply.status >= 400 && { connection: "close" }),
    ...reply.headers,
  });
  const timer = setTimeout(() => response.destroy(), READING_TIME);
  response.once("close", () => clearTimeout(timer));
  response.end(request.method === "HEAD" ? undefined : text);
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
