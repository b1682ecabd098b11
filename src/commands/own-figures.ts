/** The figures of what only the process as a whole knows: which build it is, its configuration, and its reloads. */
import { expiryIn } from "../bridge/certificates.ts";
import type { Figures } from "../bridge/figures.ts";
import type { Config } from "../config/config.ts";
import { VERSION } from "../version.ts";

export class OwnFigures {
  readonly #reloads = { ok: 0, refused: 0 };
  #lastOk = true;
  /** Milliseconds since 1970; null: none yet. */
  #loadedAt: number | null = null;

  /** A configuration is in use, the first or another. */
  used(isReload: boolean): void {
    this.#loadedAt = Date.now();
    this.#lastOk = true;
    if (isReload) this.#reloads.ok++;
  }

  /** A reload changed nothing. */
  refused(): void {
    this.#lastOk = false;
    this.#reloads.refused++;
  }

  /** @param config the one in use */
  figures(config: Config | null, isReady: boolean): Figures {
    const one = (value: number, ...labels: string[]) => [{ labels, value }];
    const tls = config?.admin?.tls;
    const expiry = tls && expiryIn(tls.cert, "client");
    return {
      build: one(1, VERSION, process.version),
      ready: one(isReady ? 1 : 0),
      reloads: [...one(this.#reloads.ok, "ok"), ...one(this.#reloads.refused, "refused")],
      reloadOk: one(this.#lastOk ? 1 : 0),
      ...(this.#loadedAt !== null && { loadedAt: one(this.#loadedAt / 1000) }),
      ...(expiry !== undefined && { certificates: one(expiry, "", "admin") }),
    };
  }
}
