/** A client for tests that writes any bytes to a policy service and shows what comes back, and when it ends. */
import { connect, type Socket } from "node:net";
import type { Endpoint } from "../../src/postfix/endpoint.ts";

export class PolicyClient {
  readonly socket: Socket;
  /** All that came, as text. */
  received = "";
  /** Whether the other side has ended the connection. */
  closed = false;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.received += chunk.toString();
      this.#look();
    });
    const closed = () => {
      this.closed = true;
      this.#look();
    };
    socket.on("end", closed);
    socket.on("close", closed);
    socket.on("error", () => {});
  }

  /** Connected; a half-closed connection stays open for the answer. */
  static connect(endpoint: Endpoint): Promise<PolicyClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        ...(endpoint.kind === "unix"
          ? { path: endpoint.path }
          : { host: endpoint.host, port: endpoint.port }),
        allowHalfOpen: true,
        noDelay: true,
      });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new PolicyClient(socket));
      });
    });
  }

  /** The actions that came, in order. */
  get actions(): string[] {
    return [...this.received.matchAll(/action=(.*)\n\n/g)].map((match) => match[1]!);
  }

  write(bytes: string | Buffer): this {
    this.socket.write(bytes);
    return this;
  }

  /** Writes one request and gives the action that answers it. */
  async ask(attributes: Readonly<Record<string, string>>): Promise<string> {
    const before = this.actions.length;
    this.write(formatRequest(attributes));
    return (await this.answers(before + 1))[before]!;
  }

  /** The first `count` actions; fails when the connection ends before, or after five seconds. */
  async answers(count: number, within = 5000): Promise<string[]> {
    await this.#until(() => this.actions.length >= count || this.closed, within, `${count} answers`);
    if (this.actions.length < count)
      throw new Error(`closed after ${this.actions.length} answers of ${count}`);
    return this.actions.slice(0, count);
  }

  /** All that came by the time the other side has ended the connection. */
  async untilClosed(within = 5000): Promise<string> {
    await this.#until(() => this.closed, within, "the end of the connection");
    return this.received;
  }

  end(): void {
    this.socket.destroy();
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }

  #until(condition: () => boolean, within: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(done);
        reject(
          new Error(
            `waited ${within} ms for ${what}; received ${JSON.stringify(this.received.slice(0, 200))}`,
          ),
        );
      }, within);
      this.#waiting.add(done);
      done();
    });
  }
}

/** The bytes of one request. */
export function formatRequest(attributes: Readonly<Record<string, string>>): string {
  return `${Object.entries(attributes)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("")}\n`;
}
