/** What a service's calls show, looked after: secrets in files, and the token that is had for others. */
import type { SecretWatch } from "../config/secret-watch.ts";
import type { Credentials } from "../decision/service.ts";
import type { UpstreamReply } from "../model/exchange.ts";
import type { TokenKeeper } from "../upstream/tokens/token-keeper.ts";

export class ServiceCredentials implements Credentials {
  readonly #secrets: SecretWatch;
  readonly #tokens: TokenKeeper | null;

  readonly isRefusal: (reply: UpstreamReply) => boolean;

  constructor(
    secrets: SecretWatch,
    tokens: TokenKeeper | null,
    isRefusal: (reply: UpstreamReply) => boolean,
  ) {
    this.#secrets = secrets;
    this.#tokens = tokens;
    this.isRefusal = isRefusal;
  }

  get isIdle(): boolean {
    return this.#tokens === null && this.#secrets.isIdle;
  }

  get changes(): number {
    return this.#secrets.changes + (this.#tokens?.changes ?? 0);
  }

  get token(): Credentials["token"] {
    return this.#tokens === null ? null : { from: this.#tokens.place, remaining: this.#tokens.remaining };
  }

  async refused(): Promise<void> {
    // A token is asked for with what the files hold now.
    if (!this.#secrets.isIdle) await this.#secrets.look();
    await this.#tokens?.refused();
  }

  async close(): Promise<void> {
    this.#secrets.close();
    await this.#tokens?.close();
  }
}
