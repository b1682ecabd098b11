/**
 * Revocations in Redis: a stream, whose numbers the server gives, so that no clock of a mail server matters. Everyone
 * reads what has come since the last look a few times a second, and all of it after each connection, since another
 * server may have taken over. One that cannot be written is kept, and written when there is a connection again.
 */
import type { Revocation } from "../store.ts";
import { Complaints } from "./complaints.ts";
import type { StoreOptions } from "./options.ts";
import type { Client } from "./redis-client.ts";
import { decodeRevocation, encodeRevocation } from "./revocation-codec.ts";
import { mergeOldest, RevocationFeed } from "./revocation-feed.ts";

/** Read in one go. */
const CHUNK = 1000;
/** Revocations that wait for a connection. */
const MOST_UNWRITTEN = 1000;
const BEGINNING = "0";

type Item = readonly [id: string, fields: readonly string[]];

export class RedisRevocations {
  readonly feed: RevocationFeed;
  readonly #client: Client;
  readonly #stream: string;
  readonly #options: Pick<StoreOptions, "secret" | "keep" | "log">;
  readonly #complaints: Complaints;
  /** What has been told, by text, and when it is over. */
  readonly #told = new Map<string, number>();
  #unwritten: string[] = [];
  #last = BEGINNING;
  #isReading = false;

  constructor(client: Client, stream: string, options: Pick<StoreOptions, "secret" | "keep" | "log">) {
    this.#client = client;
    this.#stream = stream;
    this.#options = options;
    this.#complaints = new Complaints(options.log);
    this.feed = new RevocationFeed(options.log, () => options.keep);
  }

  /** Begins at the beginning, at the next poll. */
  onConnected(): void {
    this.#last = BEGINNING;
  }

  /** Writes what could not be written, and tells of what is new. */
  async poll(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      await this.#writeUnwritten();
      let items: readonly Item[];
      do {
        const from = this.#last;
        const streams = (await this.#client.xread("COUNT", CHUNK, "STREAMS", this.#stream, from)) as
          | [string, Item[]][]
          | null;
        // A new connection has set it back meanwhile.
        if (this.#last !== from) return;
        items = streams?.[0]?.[1] ?? [];
        for (const [id, [, text]] of items) {
          this.#last = id;
          if (text !== undefined) this.#tell(text);
        }
      } while (items.length === CHUNK);
    } finally {
      this.#isReading = false;
    }
  }

  #tell(text: string): void {
    if (this.#told.has(text)) return;
    const revocation = decodeRevocation(text, this.#options.secret);
    if ("problem" in revocation) {
      this.#complaints.warn({ store: "redis" }, revocation.problem);
      return;
    }
    this.#remember(text, revocation);
    this.feed.announce(revocation);
  }

  #remember(text: string, { at }: Revocation): void {
    const now = Date.now();
    if (this.#told.size >= MOST_TOLD) {
      for (const [old, end] of this.#told) if (end < now) this.#told.delete(old);
      // Told twice does no harm.
      if (this.#told.size >= MOST_TOLD) this.#told.clear();
    }
    this.#told.set(text, at + this.#options.keep);
  }

  /**
   * Tells of one, and writes it into the stream.
   *
   * @throws an error when it could not be written now; it will be when Redis is back, while this process lives
   */
  async add(revocation: Revocation): Promise<void> {
    const text = encodeRevocation(revocation, this.#options.secret);
    this.#remember(text, revocation);
    this.feed.announce(revocation);
    try {
      await this.#write(text);
    } catch (error) {
      this.#unwritten.push(text);
      if (this.#unwritten.length > MOST_UNWRITTEN) this.#unwritten.shift();
      const reason = (error as Error).message;
      throw new Error(`Redis cannot be reached (${reason}); other hosts will be told when it is back`);
    }
  }

  async #writeUnwritten(): Promise<void> {
    for (let text = this.#unwritten[0]; text !== undefined; text = this.#unwritten[0]) {
      await this.#write(text);
      this.#unwritten.shift();
    }
  }

  async #write(text: string): Promise<void> {
    await this.#client.xadd(this.#stream, "*", "r", text);
    if ((await this.#client.xlen(this.#stream)) > MOST_WRITTEN) await this.#merge();
  }

  /** Replaces the oldest by one that covers them all. The new one is written before they go. */
  async #merge(): Promise<void> {
    const { secret, keep, log } = this.#options;
    const ended: string[] = [];
    const living: { id: string; revocation: Revocation }[] = [];
    for (const [id, [, text = ""]] of (await this.#client.xrange(this.#stream, "-", "+")) as Item[]) {
      const revocation = decodeRevocation(text, secret);
      if ("problem" in revocation || revocation.at + keep < Date.now()) ended.push(id);
      else living.push({ id, revocation });
    }
    const merger = mergeOldest(living, (item) => item.revocation, log);
    if (merger !== undefined) {
      await this.#client.xadd(this.#stream, "*", "r", encodeRevocation(merger.merged, secret));
      for (const { id } of merger.replaced) ended.push(id);
    }
    while (ended.length > 0) await this.#client.xdel(this.#stream, ...ended.splice(0, CHUNK));
  }
}

const MOST_WRITTEN = 10_000;
const MOST_TOLD = 20_000;
