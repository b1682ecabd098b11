/**
 * Revocations in an LMDB file: numbered, so that each process reads what has been added since it last looked. The last
 * number stands under 0, so that a look at one key tells whether there is anything.
 */
import type { Revocation } from "../store.ts";
import { Complaints } from "./complaints.ts";
import type { Databases } from "./lmdb-file.ts";
import type { LmdbTurns } from "./lmdb-turns.ts";
import type { StoreOptions } from "./options.ts";
import { decodeRevocation, encodeRevocation } from "./revocation-codec.ts";
import { mergeOldest, RevocationFeed } from "./revocation-feed.ts";

const COUNTER = numberKey(0);

export class LmdbRevocations {
  readonly feed: RevocationFeed;
  readonly #options: Pick<StoreOptions, "secret" | "keep" | "log">;
  readonly #complaints: Complaints;
  /** Told already when they were made here. */
  readonly #own = new Set<string>();
  #seen = 0;

  constructor(options: Pick<StoreOptions, "secret" | "keep" | "log">) {
    this.#options = options;
    this.#complaints = new Complaints(options.log);
    this.feed = new RevocationFeed(options.log, () => options.keep);
  }

  /** Tells of those that have been added since the last time. */
  poll({ revocations }: Databases): void {
    const last = numberIn(revocations.get(COUNTER));
    if (last === this.#seen) return;
    // The file was begun anew.
    if (last < this.#seen) this.#seen = 0;
    const range = { start: numberKey(this.#seen + 1), end: numberKey(last + 1) };
    for (const { value } of revocations.getRange(range)) {
      const text = value.toString("utf8");
      if (this.#own.delete(text)) continue;
      const revocation = decodeRevocation(text, this.#options.secret);
      if ("problem" in revocation) this.#complaints.warn({ store: "lmdb" }, revocation.problem);
      else this.feed.announce(revocation);
    }
    this.#seen = last;
  }

  /**
   * Tells of one, and writes it down for others.
   *
   * @throws an error when it could not be written: others, and later processes, will not hear of it
   */
  async add(turns: LmdbTurns, revocation: Revocation): Promise<void> {
    const text = encodeRevocation(revocation, this.#options.secret);
    this.#own.add(text);
    this.feed.announce(revocation);
    try {
      await turns.transact(({ root, revocations }, write) => {
        write(
          root.transaction(() => {
            let last = numberIn(revocations.get(COUNTER));
            void revocations.put(numberKey(++last), Buffer.from(text));
            const merged = this.#merge(revocations);
            if (merged !== undefined) void revocations.put(numberKey(++last), Buffer.from(merged));
            void revocations.put(COUNTER, numberKey(last));
          }),
        );
      });
    } catch (error) {
      throw new Error(`it could not be written to the store: ${(error as Error).message}`);
    }
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
