/**
 * Who may give commands: whoever shows the token, where there is one, and no web page.
 *
 * A page that somebody on this machine looks at can send requests to an inet: endpoint, under a name that its own server
 * gives to 127.0.0.1. Browsers say so: by Origin, Sec-Fetch-Site, and a Host that is neither an address nor this endpoint's.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { ControlSocket } from "../config/config.ts";
import type { Secret } from "../config/secret.ts";
import { SecretWatch } from "../config/secret-watch.ts";
import type { Log } from "../observe/log.ts";
import { type Endpoint, formatEndpoint } from "../postfix/endpoint.ts";
import { failure, type Reply } from "./api.ts";

/** That the answer to a wrong token takes, in milliseconds. */
const WRONG_TOKEN_DELAY = 1_000;
/** Between two lines about wrong tokens, in milliseconds. */
const COMPLAINT_INTERVAL = 10_000;

export class Gate {
  readonly #endpoint: Endpoint;
  readonly #log: Log;
  #token: Secret | undefined;
  #watch: SecretWatch;
  /** Since the last line about them. */
  #wrong = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor({ endpoint, token }: ControlSocket, log: Log) {
    this.#endpoint = endpoint;
    this.#log = log;
    this.#token = token;
    this.#watch = this.#watched(token);
  }

  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  /** From now on this token must be shown. It can be replaced, but what is bound is never left without one again. */
  setToken(token: Secret): void {
    this.#watch.close();
    this.#token = token;
    this.#watch = this.#watched(token);
  }

  close(): void {
    this.#watch.close();
  }

  /** Undefined for a request that may pass. */
  async refusal(request: IncomingMessage): Promise<Reply | undefined> {
    const { headers } = request;
    if (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined) {
      return failure(403, "a web page cannot give commands");
    }
    if (!this.#isOwnName(headers.host)) {
      return failure(403, "the Host of a request is the address of this endpoint, or localhost");
    }
    if (this.#isRight(headers.authorization)) return undefined;
    if (headers.authorization !== undefined) {
      // The file of the token may have changed a moment ago.
      await this.#watch.look();
      if (this.#isRight(headers.authorization)) return undefined;
      this.#complain(request);
      await delay(WRONG_TOKEN_DELAY, undefined, { ref: false });
    }
    const refusal = failure(401, "a token is needed: the one that stands under control.token");
    return { ...refusal, headers: { "www-authenticate": "Bearer" } };
  }

  #isOwnName(host: string | undefined): boolean {
    // Nobody's browser speaks to a unix socket, and what others send as Host there means nothing.
    if (this.#endpoint.kind === "unix" || host === undefined) return true;
    const name = host.replace(/:\d*$/, "").toLowerCase();
    return (
      name === "localhost" ||
      name === this.#endpoint.host.toLowerCase() ||
      isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0
    );
  }

  #isRight(authorization: string | undefined): boolean {
    if (this.#token === undefined) return true;
    const shown = /^Bearer +(.*)$/i.exec(authorization ?? "")?.[1] ?? "";
    // A header's bytes are read as Latin-1.
    return timingSafeEqual(digest(Buffer.from(shown, "latin1")), digest(Buffer.from(this.#token.reveal())));
  }

  #complain({ socket }: IncomingMessage): void {
    this.#wrong++;
    const now = performance.now();
    if (now - this.#complainedAt < COMPLAINT_INTERVAL) return;
    this.#complainedAt = now;
    const fields = {
      control: formatEndpoint(this.#endpoint),
      from: socket.remoteAddress,
      times: this.#wrong,
    };
    this.#wrong = 0;
    this.#log.warn(fields, "somebody shows a wrong token at the control endpoint");
  }

  #watched(token: Secret | undefined): SecretWatch {
    const secrets = token === undefined ? [] : [token];
    return new SecretWatch(secrets, this.#log, { control: formatEndpoint(this.#endpoint) });
  }
}

/** Of equal length whatever the text, as timingSafeEqual wants it. */
function digest(text: Buffer): Buffer {
  return createHash("sha256").update(text).digest();
}
