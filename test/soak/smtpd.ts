/**
 * One smtpd as the policy service sees it: one connection, one request at a time. On a connection that is closed it
 * waits, connects again and asks again, twice in all (Postfix, attr_clnt.c and auto_clnt.c).
 */
import { createConnection, type Socket } from "node:net";

/** smtpd_policy_service_try_limit, …_retry_delay in milliseconds, and the `timeout` that README advises. */
const TRIES = 2;
const RETRY_DELAY = 1000;
const TIMEOUT = 10_000;

/** How a try ended. `found closed`: nothing was sent. */
type End = "answered" | "closed" | "hung" | "found closed" | "refused";

export interface Try {
  readonly connection: PolicyConnection;
  readonly from: number;
  readonly to: number;
  readonly end: End;
}

/** What became of a request. */
export interface Outcome {
  readonly tries: readonly Try[];
  /** Null: Postfix would have used its own default action. */
  readonly action: string | null;
}

export class PolicyConnection {
  readonly #socket: Socket;
  /** When the other side ended it. */
  closedAt: number | null = null;
  /** What came that nobody had asked for. */
  stray = "";
  #received = "";
  #answered: ((end: End) => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#onData(text));
    socket.on("end", () => this.#onClosed());
    socket.on("close", () => this.#onClosed());
    socket.on("error", () => {});
  }

  /** Resolves when it is connected, or cannot be: then it is closed. */
  static open(port: number): Promise<PolicyConnection> {
    const socket = createConnection({ host: "127.0.0.1", port, noDelay: true });
    const connection = new PolicyConnection(socket);
    return new Promise((resolve) => {
      const done = () => resolve(connection);
      socket.once("connect", done);
      socket.once("close", done);
    });
  }

  /** Sends a request; `action` is there when it was answered. */
  async ask(request: string): Promise<{ end: End; action: string | null }> {
    this.#socket.write(request);
    const end = await new Promise<End>((resolve) => {
      const timer = setTimeout(resolve, TIMEOUT, "hung");
      this.#answered = (how) => {
        clearTimeout(timer);
        resolve(how);
      };
    });
    this.#answered = null;
    const reply = this.#received;
    this.#received = "";
    if (end === "hung") this.end();
    // Anything else than one action is shown as it came.
    return { end, action: end === "answered" ? (/^action=(.*)\n\n$/.exec(reply)?.[1] ?? reply) : null };
  }

  end(): void {
    this.#socket.removeAllListeners("end").removeAllListeners("close").destroy();
  }

  #onData(text: string): void {
    if (this.#answered === null) {
      this.stray += text;
      return;
    }
    this.#received += text;
    if (this.#received.endsWith("\n\n")) this.#answered("answered");
  }

  #onClosed(): void {
    this.closedAt ??= Date.now();
    this.#answered?.("closed");
  }
}

export class Smtpd {
  readonly #port: number;
  readonly #onConnection: (connection: PolicyConnection) => void;
  #connection: PolicyConnection | null = null;

  /** @param onConnection is told of each connection that is made */
  constructor(port: number, onConnection: (connection: PolicyConnection) => void) {
    this.#port = port;
    this.#onConnection = onConnection;
  }

  async ask(request: string): Promise<Outcome> {
    const tries: Try[] = [];
    for (;;) {
      const { action, ...made } = await this.#try(request);
      tries.push(made);
      if (made.end === "answered") return { tries, action };
      this.#connection?.end();
      this.#connection = null;
      if (tries.length === TRIES) return { tries, action: null };
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
    }
  }

  /** Between two clients a connection that was closed is noticed at no cost. */
  idle(): void {
    if (this.#connection !== null && this.#connection.closedAt !== null) this.#connection = null;
  }

  end(): void {
    this.#connection?.end();
    this.#connection = null;
  }

  async #try(request: string): Promise<Try & { readonly action: string | null }> {
    const from = Date.now();
    const isNew = this.#connection === null;
    this.#connection ??= await PolicyConnection.open(this.#port);
    const connection = this.#connection;
    if (isNew) this.#onConnection(connection);
    const sent = connection.closedAt === null;
    const { end, action } = sent
      ? await connection.ask(request)
      : { end: isNew ? ("refused" as const) : ("found closed" as const), action: null };
    return { connection, from, to: Date.now(), end, action };
  }
}
