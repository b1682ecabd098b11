/**
 * The control endpoint: an HTTP server beside the policy listeners, on a unix socket or, with a token, on TCP, that carries
 * out commands as soon as there is a bridge to command.
 */
import type { ControlSocket } from "../config/config.ts";
import type { Secret } from "../config/secret.ts";
import { Gate } from "../http/gate.ts";
import { HttpEndpoint } from "../http/server.ts";
import type { Log } from "../observe/log.ts";
import { formatEndpoint } from "../postfix/endpoint.ts";
import { answer } from "./api.ts";
import type { Controls, Refusal } from "./controls.ts";

export class ControlServer {
  readonly #http: HttpEndpoint;
  readonly #gate: Gate;
  readonly #use: (controls: Controls) => void;

  private constructor(http: HttpEndpoint, gate: Gate, use: (controls: Controls) => void) {
    this.#http = http;
    this.#gate = gate;
    this.#use = use;
  }

  /** Binds the endpoint, with the rights that the process has now. Requests wait until `serve`. */
  static async open(config: ControlSocket, log: Log): Promise<ControlServer | Refusal> {
    const { endpoint, token } = config;
    if (endpoint.kind === "inet" && token === undefined) {
      return { problem: `control: ${formatEndpoint(endpoint)} needs a token: set control.token` };
    }
    let use: (controls: Controls) => void = () => {};
    const ready = new Promise<Controls>((resolve) => {
      use = resolve;
    });
    const gate = new Gate({ key: "control", endpoint, credentials: { token }, ownPages: false }, log);
    const http = await HttpEndpoint.open(
      {
        key: "control",
        endpoint,
        rights: config,
        gate,
        takesStreams: true,
        answer: async (request) => answer(request, await ready),
        failed: async (error) => (await ready).mask(error.message),
      },
      log,
    );
    return "problem" in http ? http : new ControlServer(http, gate, use);
  }

  get endpoint(): string {
    return this.#http.endpoint;
  }

  /** From now on requests are answered by what `controls` does. */
  serve(controls: Controls): void {
    this.#use(controls);
  }

  get hasToken(): boolean {
    return this.#gate.isLocked;
  }

  /** From now on commands must show this token. */
  setToken(token: Secret): void {
    this.#gate.use({ token });
  }

  /** Stops; requests under way are cut off. The socket file is removed where the rights allow. */
  close(): Promise<void> {
    return this.#http.close();
  }
}
