/**
 * Remembered replies in Redis or Valkey, for a fleet: what one mail server has asked, all know.
 *
 * An entry is one key with an end of its own. While Redis is away nothing is found and nothing is kept, and one line in
 * the log says so, another when it is back; likewise where it refuses to read or to write. What has been asked of Redis and not answered is bounded.
 */

import type { Log } from "../../observe/log.ts";
import { within } from "../../time/within.ts";
import { encode } from "../codec.ts";
import { isKey, isRememberable, MAX_ENTRY_SIZE } from "../limits.ts";
import type { Remembered, Revocation, Store } from "../store.ts";
import type { RedisUrl } from "../store-url.ts";
import { Complaints } from "./complaints.ts";
import { entryReader, type ReadEntry } from "./entry-reader.ts";
import type { StoreOptions } from "./options.ts";
import { type Client, createClient } from "./redis-client.ts";
import { RedisRevocations } from "./redis-revocations.ts";
import { Refusal, remedyFor } from "./refusal.ts";

/** Commands that wait for a reply; beyond that nothing is asked and nothing kept until some have come. */
const MOST_WAITING = 1000;
/** Between two looks for revocations, in milliseconds. */
const POLL_INTERVAL = 300;
/** Keys asked for at once by SCAN. */
const CHUNK = 200;
/** Pages of keys that are asked for in one go; a Redis that has more has no end, or is not for this. */
const MOST_PAGES = 50_000;
const NOTHING = Buffer.alloc(0);
/** For Redis to say goodbye, in milliseconds. */
const CLOSING = 1000;

export class RedisStore implements Store {
  readonly kind = "redis";
  readonly #prefix: string;
  readonly #secret: string | undefined;
  readonly #log: Log;
  readonly #complaints: Complaints;
  readonly #read: ReadEntry;
  readonly #client: Client;
  readonly #revocations: RedisRevocations;
  readonly #timer: NodeJS.Timeout;
  readonly #reading: Refusal;
  readonly #writing: Refusal;
  #waiting = 0;
  /** It was left only to look for another master: nothing to be told, unless it does not come back. */
  #isLookingAgain = false;
  /** Null: not known yet. */
  #isThere: boolean | null = null;
  #isClosed = false;
  #lastError = "";

  constructor(url: RedisUrl, options: StoreOptions) {
    this.#prefix = `${url.prefix}entry:`;
    this.#secret = options.secret;
    this.#log = options.log;
    this.#complaints = new Complaints(options.log);
    this.#read = entryReader(this.kind, options.secret, this.#complaints);
    this.#client = createClient(url);
    const place = `${url.nodes.map(({ host, port }) => `${host}:${port}`).join(",")}`;
    this.#reading = new Refusal(options.log, place, READING);
    this.#writing = new Refusal(options.log, place, WRITING);
    this.#revocations = new RedisRevocations(
      this.#client,
      `${url.prefix}revocations`,
      options,
      this.#writing,
    );
    this.#client.on("error", (error: Error) => this.#onError(error, place));
    this.#client.on("close", () => this.#onGone(place));
    this.#client.on("ready", () => this.#onReady(place));
    this.#client.connect().catch(ignore);
    this.#timer = setInterval(() => this.#poll(), POLL_INTERVAL);
    this.#timer.unref();
  }

  get(key: string): Remembered | undefined | Promise<Remembered | undefined> {
    // Before it is known what is revoked nothing answers.
    if (!this.#canAsk() || !this.#revocations.isCurrent || !this.#reading.admits()) return undefined;
    return this.#counted(this.#getBounded(this.#prefix + key)).then(
      (bytes) => {
        this.#reading.succeeded();
        return bytes.length === 0 ? undefined : this.#read(key, bytes);
      },
      (error: Error) => {
        if (!this.#reading.failed(error)) this.#complain(error, "a remembered decision could not be read");
        return undefined;
      },
    );
  }

  /** What others have made of a key may be of any size: one byte more than it may have is damage enough. Empty: none. */
  #getBounded(key: string): Promise<Buffer> {
    return this.#client.getrangeBuffer(key, 0, MAX_ENTRY_SIZE);
  }

  set(key: string, entry: Remembered): void {
    if (!this.#canAsk() || !isKey(key) || !isRememberable(entry)) return;
    const bytes = encode(key, entry, this.#secret);
    const life = Math.ceil(entry.staleUntil - Date.now());
    if (life <= 0 || bytes.length > MAX_ENTRY_SIZE || !this.#writing.admits()) return;
    this.#counted(this.#client.set(this.#prefix + key, bytes, "PX", life)).then(
      () => this.#writing.succeeded(),
      (error: Error) => {
        if (!this.#writing.failed(error)) this.#complain(error, "a decision could not be remembered");
      },
    );
  }

  delete(key: string): void {
    if (!this.#canAsk() || !this.#writing.admits()) return;
    // That it may delete does not mean that it takes anything: one that is full does.
    this.#counted(this.#client.del(this.#prefix + key)).catch((error: Error) => {
      if (!this.#writing.failed(error)) this.#complain(error, "a remembered decision could not be deleted");
    });
  }

  /** Of all that is in Redis, whoever else uses it: what SCAN finds may take long, and this is asked often. */
  async count(): Promise<number> {
    let count = 0;
    for await (const keys of this.#scan()) count += keys.length;
    return count;
  }

  async *entries(): AsyncGenerator<readonly [string, Remembered]> {
    for await (const keys of this.#scan()) {
      // One by one: in a cluster they are on different nodes.
      const found = await Promise.all(keys.map((key) => this.#getBounded(key).catch(() => NOTHING)));
      for (const [index, bytes] of found.entries()) {
        const key = keys[index]?.slice(this.#prefix.length) ?? "";
        const entry = bytes.length === 0 ? undefined : this.#read(key, bytes);
        if (entry !== undefined) yield [key, entry];
      }
    }
  }

  /** Ends early when Redis goes away, or when it would never end. */
  async *#scan(): AsyncGenerator<readonly string[]> {
    if (!this.#isThere) return;
    const nodes = "nodes" in this.#client ? this.#client.nodes("master") : [this.#client];
    const match = `${this.#prefix.replace(/[\\*?[\]]/g, "\\$&")}*`;
    let pages = 0;
    try {
      for (const node of nodes) {
        let cursor = "0";
        do {
          if (this.#isClosed) return;
          if (++pages > MOST_PAGES) throw new Error(`more than ${MOST_PAGES * CHUNK} keys`);
          const [next, keys] = await node.scan(cursor, "MATCH", match, "COUNT", CHUNK);
          yield keys;
          cursor = next;
        } while (cursor !== "0");
      }
    } catch (error) {
      this.#complain(error as Error, "the remembered decisions could not be listed");
    }
  }

  revoke(revocation: Revocation): Promise<void> {
    return this.#revocations.add(revocation);
  }

  onRevocation(listener: (revocation: Revocation) => void): void {
    this.#revocations.feed.subscribe(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    if (this.#isThere) {
      // QUIT is answered after all that was asked before it.
      await within(CLOSING, this.#client.quit().catch(ignore));
    }
    this.#client.disconnect();
  }

  #canAsk(): boolean {
    return this.#isThere === true && this.#waiting < MOST_WAITING && !this.#isClosed;
  }

  #counted<T>(reply: Promise<T>): Promise<T> {
    this.#waiting++;
    const answered = () => {
      this.#waiting--;
    };
    reply.then(answered, answered);
    return reply;
  }

  #poll(): void {
    if (this.#isThere) {
      this.#revocations
        .poll()
        .then(() => this.#reading.succeeded())
        .catch((error: Error) => {
          if (!this.#reading.failed(error)) {
            this.#complain(error, "revocations could not be exchanged with Redis");
          }
        });
    }
  }

  #onReady(place: string): void {
    if (this.#isThere === false && !this.#isLookingAgain) {
      this.#log.info({ store: this.kind, place }, "Redis is back: decisions are remembered again");
    }
    this.#isThere = true;
    this.#isLookingAgain = false;
    this.#revocations.onConnected();
    this.#poll();
  }

  #onError(error: Error, place: string): void {
    this.#lastError = error.message;
    // The first connection failed: there is no "close" of one that never was, in a cluster.
    if (this.#isThere === null) this.#onGone(place);
    else if (this.#isLookingAgain) this.#tellGone(place);
  }

  #onGone(place: string): void {
    if (this.#isThere === false || this.#isClosed) return;
    this.#isLookingAgain = this.#isThere === true && this.#writing.isRefused && this.#lastError === "";
    this.#isThere = false;
    if (!this.#isLookingAgain) this.#tellGone(place);
  }

  #tellGone(place: string): void {
    this.#isLookingAgain = false;
    const reason = this.#lastError || "the connection was closed";
    const advice = remedyFor(reason);
    this.#log.warn(
      { store: this.kind, place, reason, ...(advice !== undefined && { advice }) },
      advice === undefined ? GONE : REFUSING,
    );
    this.#lastError = "";
  }

  /** An error while the connection is gone has been told. */
  #complain(error: Error, message: string): void {
    if (this.#isThere) this.#complaints.warn({ store: this.kind, reason: error.message }, message);
  }
}

const GONE = "Redis cannot be reached: decisions are made without remembered ones until it is back";
const REFUSING = "Redis refuses the bridge: decisions are made without remembered ones until it does not";
const READING = {
  begins: "Redis refuses to read: decisions are made without remembered ones until it does not",
  ends: "Redis lets itself be read again: remembered decisions are used",
};
const WRITING = {
  begins:
    "Redis refuses to write: nothing new is remembered and no revocation is made known until it does not; what it holds is still used",
  ends: "Redis has taken a write again: decisions are remembered",
};

function ignore(): void {}
