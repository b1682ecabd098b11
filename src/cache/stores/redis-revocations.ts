/**
 * Revocations in Redis: a stream, whose numbers the server gives, so that no clock of a mail server matters. Everyone
 * reads what has come since the last look a few times a second, and all of it after each connection, since another
 * server may have taken over.
 *
 * Redis may lose what it had, and whoever can write to it may take revocations away. So each bridge writes again what it
 * knows and the stream lacks, from this host's own disk also after a restart, and says so. What it reads is bounded.
 */
import { implies } from "../revocations.ts";
import type { Revocation } from "../store.ts";
import { Complaints } from "./complaints.ts";
import { openFeed, type StoreOptions } from "./options.ts";
import { type Client, whenReady } from "./redis-client.ts";
import { type Refusal, remedyFor } from "./refusal.ts";
import { decodeRevocation, encodeRevocation, textOf } from "./revocation-codec.ts";
import { mergeOldest, type RevocationFeed } from "./revocation-feed.ts";

/** Read in one go: together they are smaller than a reply may be. */
const PAGE = 16;
/** A process that has just started has no connection yet: how long one is waited for, in milliseconds. */
const CONNECTING = 2000;
/** Deleted in one go. */
const CHUNK = 1000;
/** In the stream, beyond which the oldest become one. */
const MOST_WRITTEN = 10_000;
/** In the stream, beyond which the rest is not read: somebody fills it. */
const MOST_READ = 100_000;
const BEGINNING = "0";

type Item = readonly [id: string, fields: readonly string[]];

/** A reading of the stream from its beginning: what it holds. */
interface Pass {
  readonly present: Revocation[];
}

export class RedisRevocations {
  readonly feed: RevocationFeed;
  readonly #client: Client;
  readonly #stream: string;
  readonly #options: Pick<StoreOptions, "secret" | "keep" | "log">;
  readonly #complaints: Complaints;
  readonly #writing: Refusal;
  /** Made here, and not in the stream yet: by text. */
  readonly #unwritten = new Set<string>();
  #last = BEGINNING;
  /** How many the stream held when it was last read. */
  #length = 0;
  /** Null: the beginning has been read. */
  #pass: Pass | null = null;
  #isReading = false;
  #isCurrent = false;

  constructor(
    client: Client,
    stream: string,
    options: Pick<StoreOptions, "secret" | "keep" | "forgotten" | "log">,
    writing: Refusal,
  ) {
    this.#client = client;
    this.#stream = stream;
    this.#options = options;
    this.#complaints = new Complaints(options.log);
    this.#writing = writing;
    this.feed = openFeed(options);
  }

  /** Whether all that the stream held at the last connection, or since, has been read. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** Begins at the beginning, at the next poll. */
  onConnected(): void {
    this.#last = BEGINNING;
    this.#isCurrent = false;
  }

  /**
   * Tells of what is new, and writes what the stream lacks.
   *
   * @throws Error of Redis; what could not be written will be
   */
  async poll(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      if (!(await this.#read())) return;
      this.#isCurrent = true;
      await this.#finishPass();
    } finally {
      this.#isReading = false;
    }
  }

  async #read(): Promise<boolean> {
    try {
      // Some are gone: deleted, merged or lost.
      if ((await this.#client.xlen(this.#stream)) < this.#length) this.#last = BEGINNING;
      return await this.#readOn();
    } catch (error) {
      // A stream that cannot be read may hold anything; where there is no connection nothing is found anyway.
      if ((error as Error).name === "ReplyError") this.onConnected();
      throw error;
    }
  }

  /** To the end. @returns false where a new connection has set it back meanwhile */
  async #readOn(): Promise<boolean> {
    for (;;) {
      const from = this.#last;
      if (from === BEGINNING) {
        this.#pass = { present: [] };
        this.#length = 0;
      }
      const items = await this.#page(from);
      if (this.#last !== from) return false;
      for (const [id, [, text]] of items) {
        this.#last = id;
        if (text !== undefined) this.#hear(text);
      }
      this.#length += items.length;
      if (items.length < PAGE) return true;
      if (this.#length >= MOST_READ) throw new Error(`more than ${MOST_READ} revocations`);
    }
  }

  async #page(from: string): Promise<readonly Item[]> {
    const streams = (await this.#client.xread("COUNT", PAGE, "STREAMS", this.#stream, from)) as
      | [string, Item[]][]
      | null;
    return streams?.[0]?.[1] ?? [];
  }

  #hear(text: string): void {
    const revocation = decodeRevocation(text, this.#options.secret);
    if ("problem" in revocation) {
      this.#complaints.warn({ store: "redis" }, revocation.problem);
      return;
    }
    this.#pass?.present.push(revocation);
    this.#unwritten.delete(textOf(revocation));
    this.feed.hear(revocation);
  }

  /** After the beginning was read: writes what is known and was not there. */
  async #finishPass(): Promise<void> {
    const pass = this.#pass;
    if (pass === null) return;
    const missing = this.feed.missingIn(pass.present);
    const lost = missing.filter((revocation) => !this.#unwritten.has(textOf(revocation))).length;
    if (lost > 0) {
      this.#complaints.warn(
        { store: "redis", revocations: lost },
        "Redis lacks revocations that this host knows: it lost its last writes, or somebody deleted them; they are written again",
      );
    }
    for (const revocation of missing) {
      // The rest comes with the next look.
      if (!this.#writing.admits()) return;
      try {
        await this.#write(revocation);
      } catch (error) {
        if (this.#writing.failed(error as Error)) return;
        throw error;
      }
    }
    this.#pass = null;
  }

  /**
   * Tells of one, and writes it into the stream.
   *
   * @throws an error when it could not be written now; it will be when Redis is back, also after a restart if this host
   * could keep it
   */
  async add(revocation: Revocation): Promise<void> {
    const keeping = this.feed.announce(revocation).then(
      () => undefined,
      (error: Error) => error,
    );
    this.#unwritten.add(textOf(revocation));
    try {
      if (!(await whenReady(this.#client, CONNECTING))) throw new Error("there is no connection");
      await this.#write(revocation);
    } catch (error) {
      // What the stream lacks is written when it has been read from its beginning.
      this.#last = BEGINNING;
      await keeping;
      const reason = (error as Error).message;
      const advice = remedyFor(reason);
      if (advice !== undefined) {
        this.#writing.failed(error as Error);
        throw new Error(
          `Redis has not taken it (${reason}): ${advice}; other hosts will be told when it takes writes again`,
        );
      }
      throw new Error(`Redis cannot be reached (${reason}); other hosts will be told when it is back`);
    }
    const unkept = await keeping;
    if (unkept !== undefined) {
      throw new Error(
        `it is in Redis, which may lose its last writes, but not kept on this host: ${unkept.message}`,
      );
    }
  }

  async #write(revocation: Revocation): Promise<void> {
    await this.#client.xadd(this.#stream, "*", "r", encodeRevocation(revocation, this.#options.secret));
    this.#writing.succeeded();
    this.#unwritten.delete(textOf(revocation));
    if ((await this.#client.xlen(this.#stream)) > MOST_WRITTEN) await this.#merge();
  }

  /** Deletes what says nothing more, and replaces the oldest by one that covers them all, which is written before they go. */
  async #merge(): Promise<void> {
    const { secret, keep, log } = this.#options;
    const ended: string[] = [];
    const living = new Map<string, { id: string; revocation: Revocation }>();
    let from = BEGINNING;
    let items: readonly Item[];
    do {
      items = await this.#page(from);
      for (const [id, [, text = ""]] of items) {
        from = id;
        const revocation = decodeRevocation(text, secret);
        const isOver = "problem" in revocation || revocation.at + keep < Date.now();
        // Several hosts may have written the same again.
        if (isOver || living.has(textOf(revocation))) ended.push(id);
        else living.set(textOf(revocation), { id, revocation });
      }
    } while (items.length === PAGE && living.size + ended.length < MOST_READ);
    const merger = mergeOldest([...living.values()], (item) => item.revocation, log);
    if (merger !== undefined) {
      await this.#client.xadd(this.#stream, "*", "r", encodeRevocation(merger.merged, secret));
      for (const [, { id, revocation }] of living) if (implies(merger.merged, revocation)) ended.push(id);
    }
    while (ended.length > 0) await this.#client.xdel(this.#stream, ...ended.splice(0, CHUNK));
  }
}
