/**
 * Who may ask at an endpoint: whoever shows the token or the password, where there is one, and no foreign web page.
 *
 * A page that somebody on this machine looks at can send requests to an inet: endpoint, under a name that its own server
 * gives to 127.0.0.1. Browsers say so: by Origin, Sec-Fetch-Site, and a Host that is neither an address nor this endpoint's.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Secret } from "../config/secret.ts";
import { SecretWatch } from "../config/secret-watch.ts";
import type { Log } from "../observe/log.ts";
import { type Endpoint, formatEndpoint } from "../postfix/endpoint.ts";
import { failure, type Reply } from "./reply.ts";

/** What a request must show one of; without any nothing has to be shown. */
export interface Credentials {
  /** `Authorization: Bearer`. */
  readonly token?: Secret | undefined;
  /** `Authorization: Basic` (RFC 7617). */
  readonly basic?: { readonly username: string; readonly password: Secret } | undefined;
}

export interface GateRules {
  /** The key of the configuration, for messages. */
  readonly key: "control" | "admin";
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  /** Whether pages that this endpoint has served may ask. */
  readonly ownPages: boolean;
}

/** That the answer to a wrong token takes, in milliseconds. */
const WRONG_TOKEN_DELAY = 1_000;
/** Between two lines about wrong tokens, in milliseconds. */
const COMPLAINT_INTERVAL = 10_000;

export class Gate {
  readonly #rules: GateRules;
  readonly #log: Log;
  #credentials: Credentials;
  #watch: SecretWatch;
  /** Since the last line about them. */
  #wrong = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor(rules: GateRules, log: Log) {
    this.#rules = rules;
    this.#log = log;
    this.#credentials = rules.credentials;
    this.#watch = this.#watched();
  }

  /** Whether something must be shown. */
  get isLocked(): boolean {
    const { token, basic } = this.#credentials;
    return token !== undefined || basic !== undefined;
  }

  /** From now on these count. They can be replaced, but what is bound is never left without any again. */
  use(credentials: Credentials): void {
    this.#watch.close();
    this.#credentials = credentials;
    this.#watch = this.#watched();
  }

  close(): void {
    this.#watch.close();
  }

  /**
   * Undefined for a request that may pass.
   *
   * @param open whether this may be asked without showing anything
   */
  async refusal(request: IncomingMessage, open = false): Promise<Reply | undefined> {
    const { headers } = request;
    if (this.#isOfAPage(request)) {
      const what = this.#rules.key === "control" ? "give commands" : "ask here";
      return failure(403, `a web page cannot ${what}`);
    }
    if (!this.#isOwnName(headers.host)) {
      return failure(403, "the Host of a request is the address of this endpoint, or localhost");
    }
    if (open || this.knows(request)) return undefined;
    if (headers.authorization !== undefined) {
      // The file of the token may have changed a moment ago.
      await this.#watch.look();
      if (this.knows(request)) return undefined;
      this.#complain(request);
      await delay(WRONG_TOKEN_DELAY, undefined, { ref: false });
    }
    return this.#unauthorized();
  }

  /** Whether it shows what must be shown. */
  knows({ headers: { authorization = "" } }: IncomingMessage): boolean {
    const { token, basic } = this.#credentials;
    if (!this.isLocked) return true;
    const [, scheme = "", shown = ""] = /^(Bearer|Basic) +(.*)$/i.exec(authorization) ?? [];
    // A header's bytes are read as Latin-1.
    if (scheme.toLowerCase() === "bearer") {
      return token !== undefined && isSame(Buffer.from(shown, "latin1"), token.reveal());
    }
    if (scheme === "" || basic === undefined) return false;
    return isSame(Buffer.from(shown, "base64"), `${basic.username}:${basic.password.reveal()}`);
  }

  #unauthorized(): Reply {
    const { key } = this.#rules;
    const { token, basic } = this.#credentials;
    const what =
      basic === undefined
        ? `a token is needed: the one that stands under ${key}.token`
        : `who asks is needed: the user and password that stand under ${key}.basic${token === undefined ? "" : `, or the token under ${key}.token`}`;
    const challenges = [
      ...(basic === undefined ? [] : ['Basic realm="pfxbridge", charset="UTF-8"']),
      ...(token === undefined ? [] : ["Bearer"]),
    ];
    return { ...failure(401, what), headers: { "www-authenticate": challenges.join(", ") } };
  }

  #isOfAPage({ method, headers }: IncomingMessage): boolean {
    const { origin, host } = headers;
    const site = headers["sec-fetch-site"];
    if (!this.#rules.ownPages) return origin !== undefined || site !== undefined;
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) return true;
    if (site === undefined || site === "same-origin" || site === "none") return false;
    // Somebody follows a link; what is shown then no other page can read.
    return (
      method !== "GET" || headers["sec-fetch-mode"] !== "navigate" || headers["sec-fetch-dest"] !== "document"
    );
  }

  #isOwnName(host: string | undefined): boolean {
    const { endpoint, ownPages } = this.#rules;
    // Nobody's browser speaks to a unix socket, and what others send as Host there means nothing.
    if (endpoint.kind === "unix" || host === undefined) return true;
    // Under a name of another's a browser shows no password that it was given for this one.
    if (ownPages && this.isLocked) return true;
    const name = host.replace(/:\d*$/, "").toLowerCase();
    return (
      name === "localhost" ||
      name === endpoint.host.toLowerCase() ||
      isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0
    );
  }

  #complain({ socket }: IncomingMessage): void {
    this.#wrong++;
    const now = performance.now();
    if (now - this.#complainedAt < COMPLAINT_INTERVAL) return;
    this.#complainedAt = now;
    const { key, endpoint } = this.#rules;
    const fields = { [key]: formatEndpoint(endpoint), from: socket.remoteAddress, times: this.#wrong };
    this.#wrong = 0;
    const what = key === "control" ? "token" : "token or password";
    this.#log.warn(fields, `somebody shows a wrong ${what} at the ${key} endpoint`);
  }

  #watched(): SecretWatch {
    const { token, basic } = this.#credentials;
    const secrets = [token, basic?.password].filter((secret) => secret !== undefined);
    const { key, endpoint } = this.#rules;
    return new SecretWatch(secrets, this.#log, { [key]: formatEndpoint(endpoint) });
  }
}

function isSame(shown: Buffer, expected: string): boolean {
  return timingSafeEqual(digest(shown), digest(Buffer.from(expected)));
}

/** Of equal length whatever the text, as timingSafeEqual wants it. */
function digest(text: Buffer): Buffer {
  return createHash("sha256").update(text).digest();
}
