/**
 * Revocations in an LMDB file: numbered, so that each process reads what has been added since it last looked. The last
 * number stands under 0, so that a look at one key tells whether there is anything.
 */
import type { Revocation } from "../store.ts";
import { Complaints } from "./complaints.ts";
import type { Databases } from "./lmdb-file.ts";
import type { LmdbTurns } from "./lmdb-turns.ts";
import { openFeed, type StoreOptions } from "./options.ts";
import { decodeRevocation, encodeRevocation } from "./revocation-codec.ts";
import { mergeOldest, type RevocationFeed } from "./revocation-feed.ts";

const COUNTER = numberKey(0);

export class LmdbRevocations {
  readonly feed: RevocationFeed;
  readonly #options: Pick<StoreOptions, "secret" | "log">;
  readonly #complaints: Complaints;
  #seen = 0;
  /** Known here, and not in the file: it was begun anew, or is an old copy. */
  #missing: readonly Revocation[] = [];

  constructor(options: Pick<StoreOptions, "secret" | "keep" | "forgotten" | "log">) {
    this.#options = options;
    this.#complaints = new Complaints(options.log);
    this.feed = openFeed(options);
  }

  /** The file is another than before: all that is in it is read, and what is known and not in it is to be written. */
  beginAnew(databases: Databases): void {
    this.#seen = 0;
    this.#missing = this.feed.missingIn(this.#readNew(databases));
  }

  /** Tells of those that have been added since the last time. */
  poll(databases: Databases): void {
    const last = numberIn(databases.revocations.get(COUNTER));
    if (last < this.#seen) this.beginAnew(databases);
    else if (last > this.#seen) this.#readNew(databases);
  }

  #readNew({ revocations }: Databases): Revocation[] {
    const read: Revocation[] = [];
    const last = numberIn(revocations.get(COUNTER));
    const range = { start: numberKey(this.#seen + 1), end: numberKey(last + 1) };
    for (const { value } of revocations.getRange(range)) {
      const revocation = decodeRevocation(value.toString("utf8"), this.#options.secret);
      if ("problem" in revocation) {
        this.#complaints.warn({ store: "lmdb" }, revocation.problem);
      } else {
        read.push(revocation);
        this.feed.hear(revocation);
      }
    }
    this.#seen = last;
    return read;
  }

  /** Writes into the file what is known and was not in it, for others who share it. */
  async writeMissing(turns: LmdbTurns): Promise<void> {
    const missing = this.#missing;
    if (missing.length === 0) return;
    this.#missing = [];
    try {
      await this.#write(turns, missing);
    } catch (error) {
      this.#missing = missing;
      throw error;
    }
  }

  /**
   * Tells of one, and writes it down for others.
   *
   * @throws an error when it could not be written: others, and later processes, will not hear of it
   */
  async add(turns: LmdbTurns, revocation: Revocation): Promise<void> {
    const keeping = this.feed.announce(revocation).catch((error: Error) => {
      this.#complaints.warn({ reason: error.message }, "what was forgotten is kept in the store alone");
    });
    try {
      await this.#write(turns, [revocation]);
    } catch (error) {
      throw new Error(`it could not be written to the store: ${(error as Error).message}`);
    } finally {
      await keeping;
    }
  }

  async #write(turns: LmdbTurns, added: readonly Revocation[]): Promise<void> {
    await turns.transact(({ root, revocations }, write) => {
      write(
        root.transaction(() => {
          let last = numberIn(revocations.get(COUNTER));
          for (const revocation of added) {
            const text = encodeRevocation(revocation, this.#options.secret);
            void revocations.put(numberKey(++last), Buffer.from(text));
          }
          const merged = this.#merge(revocations);
          if (merged !== undefined) void revocations.put(numberKey(++last), Buffer.from(merged));
          void revocations.put(COUNTER, numberKey(last));
        }),
      );
    });
  }

  /** Removes the oldest where there are too many, and gives what replaces them. */
  #merge(revocations: Databases["revocations"]): string | undefined {
    const { secret, log } = this.#options;
    // Counting first: reading all of them takes a while.
    if ((revocations.getStats() as { entryCount: number }).entryCount <= MOST_WRITTEN) return undefined;
    const written: { key: Buffer; revocation: Revocation }[] = [];
    for (const { key, value } of revocations.getRange({ start: numberKey(1) })) {
      const revocation = decodeRevocation(value.toString("utf8"), secret);
      if (!("problem" in revocation)) written.push({ key: Buffer.from(key), revocation });
      else void revocations.remove(Buffer.from(key));
    }
    const merger = mergeOldest(written, (item) => item.revocation, log);
    if (merger === undefined) return undefined;
    for (const { key } of merger.replaced) void revocations.remove(key);
    return encodeRevocation(merger.merged, secret);
  }
}

/** The counter is one of them. */
const MOST_WRITTEN = 10_001;

function numberKey(number: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeBigUInt64BE(BigInt(number));
  return key;
}

function numberIn(bytes: Buffer | undefined): number {
  return bytes === undefined || bytes.length !== 8 ? 0 : Number(bytes.readBigUInt64BE());
}
