/**
 * The body of a reply as it comes in, within the limits of what it may cost.
 *
 * undici hands over pieces of what was read from the socket, and each keeps alive all that was read with it. A body
 * of one piece, as most are, is used as it is; pieces of one that comes in several are copied into memory of its own,
 * which holds at most twice what came. A body in pieces of a byte takes a thousand times the work of one in a piece, so the
 * pieces have a limit, too.
 */
import { tooLarge } from "./decompress.ts";

const NOTHING = Buffer.alloc(0);
const LEAST = 4096;
/** Pieces that any body may come in, and the bytes that each beyond those must bring on the average. */
const FREE_PIECES = 1024;
const BYTES_PER_PIECE = 256;

export class ReplyBody {
  readonly #limit: number;
  #length = 0;
  #pieces = 0;
  /** The first piece, or the memory that further ones are copied into. */
  #memory: Buffer = NOTHING;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  /** What has come; not to be added to after that. */
  get bytes(): Buffer {
    return this.#memory.length === this.#length ? this.#memory : this.#memory.subarray(0, this.#length);
  }

  /** Adds a piece, or says what is wrong with the body. */
  add(piece: Buffer): string | null {
    const length = this.#length + piece.length;
    this.#pieces++;
    if (length > this.#limit) return tooLarge(this.#limit);
    if (this.#pieces > FREE_PIECES + this.#limit / BYTES_PER_PIECE) {
      return `in ${this.#pieces} pieces so far, ${length} bytes together: too many to be read`;
    }
    if (this.#length === 0) {
      this.#memory = piece;
    } else {
      // Never into the first piece, which ends where it is full.
      if (length > this.#memory.length) this.#grow(length);
      piece.copy(this.#memory, this.#length);
    }
    this.#length = length;
    return null;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(LEAST, Math.min(2 * needed, this.#limit)));
    this.#memory.copy(grown, 0, 0, this.#length);
    this.#memory = grown;
  }
}
