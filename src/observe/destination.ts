/**
 * Where lines go: a descriptor, written to one piece after the other. Nobody ever waits for it.
 *
 * What it does not take at once (disk full, a reader that has stopped or gone) waits in memory, in order, and is tried again
 * after longer and longer pauses. Beyond a limit lines are dropped and counted, until half of what waits has gone: so there
 * is one gap, and one word about it, and not one for each line.
 */
import { close, write } from "node:fs";
import { countDropped, HAND_OVER_TIME, NOTHING_LEFT, type Rest, type Sink } from "./sink.ts";

/** Something that can be written to. */
export interface Place {
  /** One that blocks nobody: see `openWithoutBlocking`. A file may be any. */
  readonly fd: number;
  /** Whether it is to be closed at the end. */
  readonly own: boolean;
}

export interface DestinationOptions {
  /** Bytes that may wait. */
  readonly most: number;
  /** Bytes that are written at once: whole lines, as long as one is no longer than that. */
  readonly piece: number;
  /** Other processes write there as well. */
  readonly shared?: boolean;
  /** The line that says how many were dropped. */
  readonly gap: (dropped: number) => Buffer;
}

/** Before what failed is tried again, in milliseconds; doubles. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 250;

const NEWLINE = 0x0a;
const LINE_END = Buffer.from("\n");

export class Destination implements Sink {
  readonly #place: Place;
  readonly #options: DestinationOptions;
  /** Whole lines that wait, from `#first` on. */
  #queue: Buffer[] = [];
  #first = 0;
  #waiting = 0;
  /** What is being written, or was last tried. */
  #current: Buffer | null = null;
  /** A part of `#current` is out already. */
  #torn = false;
  /** Something failed half way: another process may have gone on in the same line. */
  #unsure = false;
  #dropped = 0;
  #isDropping = false;
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | null = null;
  #isWriting = false;
  /** Nobody reads any more, and nobody will. */
  #isBroken = false;
  /** What went before must be over first. */
  #former: Promise<void> | null = null;
  #isEnded = false;
  /** Told when nothing is left to do, or nothing can be done. */
  #onIdle: (() => void) | null = null;

  constructor(place: Place, options: DestinationOptions) {
    this.#place = place;
    this.#options = options;
  }

  /** @param lines whole lines, to keep */
  write(lines: Buffer): void {
    if (this.#isEnded) return;
    this.#isDropping ||= this.#waiting + lines.length > this.#options.most;
    if (this.#isDropping) {
      const lost = count(lines);
      this.#dropped += lost;
      countDropped(lost);
    } else {
      this.#push(lines);
    }
    this.#next();
  }

  follow(former: Sink): void {
    this.#former = former.leave(HAND_OVER_TIME).then(({ lines, dropped }) => {
      this.#former = null;
      const own = this.#queue.slice(this.#first);
      this.#first = 0;
      this.#queue = [];
      this.#waiting = 0;
      for (const each of lines) this.#push(each);
      if (dropped > 0) this.#push(this.#options.gap(dropped));
      for (const each of own) this.#push(each);
      this.#next();
      this.#tellIfIdle();
    });
  }

  async end(time: number): Promise<void> {
    await this.leave(time);
  }

  async leave(time: number): Promise<Rest> {
    if (this.#isEnded) return NOTHING_LEFT;
    await this.#idle(time);
    if (this.#isEnded) return NOTHING_LEFT;
    this.#isEnded = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#isWriting) this.#close();
    return this.#rest();
  }

  #idle(time: number): Promise<void> {
    if (this.#isIdle || time <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, time);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  get #isIdle(): boolean {
    if (this.#former !== null) return false;
    return this.#isBroken || (this.#current === null && this.#waiting === 0);
  }

  /** A write that has not come back may still succeed: what it holds is not written a second time. */
  #rest(): Rest {
    const lines = this.#queue.slice(this.#first);
    let dropped = this.#dropped;
    if (this.#current !== null && !this.#isWriting) {
      const begin = this.#torn ? this.#current.indexOf(NEWLINE) + 1 : 0;
      if (this.#torn) dropped++;
      lines.unshift(this.#current.subarray(begin));
    }
    return { lines, dropped };
  }

  #close(): void {
    if (this.#place.own) close(this.#place.fd, () => {});
  }

  #push(lines: Buffer): void {
    this.#queue.push(lines);
    this.#waiting += lines.length;
  }

  #next(): void {
    if (this.#isWriting || this.#timer !== null || this.#isEnded || this.#former !== null) return;
    this.#current ??= this.#take();
    if (this.#current === null) return;
    const { fd } = this.#place;
    const piece = this.#unsure ? Buffer.concat([LINE_END, this.#current]) : this.#current;
    this.#isWriting = true;
    underWay++;
    write(fd, piece, (error, written) => this.#onWritten(error, written, piece));
  }

  /** As many of the lines that wait as go out together. */
  #take(): Buffer | null {
    const first = this.#queue[this.#first];
    if (first === undefined) return null;
    let length = first.length;
    let end = this.#first + 1;
    while (end < this.#queue.length && length + this.#queue[end]!.length <= this.#options.piece) {
      length += this.#queue[end++]!.length;
    }
    const isAlone = end === this.#first + 1;
    const taken = isAlone ? first : Buffer.concat(this.#queue.slice(this.#first, end), length);
    this.#waiting -= length;
    this.#first = end;
    // What is written is let go: all of it, or a thousand at a time.
    if (end === this.#queue.length || end > 1000) {
      this.#queue = this.#queue.slice(end);
      this.#first = 0;
    }
    return taken;
  }

  #onWritten(error: NodeJS.ErrnoException | null, written: number, piece: Buffer): void {
    this.#isWriting = false;
    underWay--;
    if (this.#isEnded) {
      this.#close();
      return;
    }
    if (error !== null) this.#onFailed(error);
    else if (written < piece.length) this.#onShort(written, piece);
    else this.#onWhole();
    this.#next();
    this.#tellIfIdle();
  }

  #onWhole(): void {
    this.#current = null;
    this.#torn = false;
    this.#unsure = false;
    this.#isBroken = false;
    this.#pause = FIRST_PAUSE;
    if (this.#dropped === 0 || this.#waiting > this.#options.most / 2) return;
    this.#push(this.#options.gap(this.#dropped));
    this.#dropped = 0;
    this.#isDropping = false;
  }

  /** A full disk, a full pipe: the rest comes next. Where others write, too, the line is begun anew. */
  #onShort(written: number, piece: Buffer): void {
    this.#pause = FIRST_PAUSE;
    const isTorn = piece[written - 1] !== NEWLINE;
    this.#unsure = isTorn && this.#options.shared === true;
    this.#torn = isTorn && !this.#unsure;
    this.#current = piece.subarray(this.#unsure ? piece.lastIndexOf(NEWLINE, written - 1) + 1 : written);
  }

  #onFailed({ code }: NodeJS.ErrnoException): void {
    this.#isBroken = code === "EPIPE";
    // A pipe takes all or nothing.
    if (this.#options.shared && code !== "EAGAIN" && code !== "EPIPE") this.#unsure = true;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#next();
    }, this.#pause).unref();
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  #tellIfIdle(): void {
    if (this.#onIdle === null || !this.#isIdle) return;
    this.#onIdle();
    this.#onIdle = null;
  }
}

let underWay = 0;

/** Writes of this process that the system has not come back from: with one of them it cannot end in the ordinary way. */
export function writesUnderWay(): number {
  return underWay;
}

/** How many lines these are. */
function count(lines: Buffer): number {
  let found = 0;
  for (let at = lines.indexOf(NEWLINE); at !== -1; at = lines.indexOf(NEWLINE, at + 1)) found++;
  return found;
}
