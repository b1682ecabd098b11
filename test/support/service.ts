/**
 * An authorization service over plain HTTP in the test's own process, that answers as the test says and
 * remembers every call. It can be stopped and started again on the same port, as a real one is for an
 * upgrade.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { freePort } from "./temporary.ts";

/** One call, as it arrived. */
export interface Call {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  /** The body as JSON, null where it is none. */
  readonly json: Readonly<Record<string, unknown>> | null;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body: text as it stands, anything else as JSON. */
  readonly body?: unknown;
}

export type Answering = (call: Call) => Answer | Promise<Answer>;

export class AuthorizationService {
  /** Every call so far, the oldest first. */
  readonly calls: Call[] = [];
  /** How the next calls are answered. */
  answering: Answering;
  readonly #port: number;
  #server: Server | undefined;

  private constructor(port: number, answering: Answering) {
    this.#port = port;
    this.answering = answering;
  }

  static async start(answering: Answering): Promise<AuthorizationService> {
    const service = new AuthorizationService(await freePort(), answering);
    await service.start();
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.#server = createServer((message, response) => {
      this.#answer(message).then(
        ({ status = 200, headers = {}, body = "" }) => {
          const isText = typeof body === "string";
          response.writeHead(status, {
            "content-type": isText ? "text/plain" : "application/json",
            ...headers,
          });
          response.end(isText ? body : JSON.stringify(body));
        },
        () => response.destroy(),
      );
    });
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Refuses connections from now on, and cuts off those that there are. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  }

  async #answer(message: IncomingMessage): Promise<Answer> {
    const { method = "", url = "", headers } = message;
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    const call = { method, url, headers, text, json: parseObject(text) };
    this.calls.push(call);
    return this.answering(call);
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
