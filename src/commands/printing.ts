/**
 * What commands print. A reader that has gone is no error; one that has stopped is waited for, but not for ever; and nothing
 * is cut off because the process ends before all is out.
 */
import { Console } from "node:console";
import { fstatSync } from "node:fs";
import { Writable } from "node:stream";
import { isatty } from "node:tty";
import { Destination } from "../observe/destination.ts";
import { openStandardStream } from "../observe/standard-streams.ts";

/** A pipe that takes nothing for so long is given up, in milliseconds. */
const PATIENCE = { 1: 10_000, 2: 1_000 };
/** Whoever holds a terminal lets it go again: as long as a timer can run. */
const FOR_EVER = 2 ** 31 - 1;
const PIECE = 64 * 1024;

export class Printing {
  readonly console: Console;
  readonly #open = new Map<string, { readonly fd: 1 | 2; readonly destination: Destination }>();

  constructor() {
    this.console = new Console(this.#stream(1), this.#stream(2));
  }

  /** Resolves when all is out that can be. */
  async end(): Promise<void> {
    const all = [...this.#open.values()];
    await Promise.all(
      all.map(({ fd, destination }) => destination.end(isatty(fd) ? FOR_EVER : PATIENCE[fd])),
    );
  }

  #stream(fd: 1 | 2): Writable {
    return new Writable({
      write: (text: Buffer, _encoding, done) => {
        this.#destination(fd).write(text);
        done();
      },
    });
  }

  /** One for both streams where they lead to the same place: what was printed first stands first. */
  #destination(fd: 1 | 2): Destination {
    const { dev, ino } = fstatSync(fd);
    const place = `${dev} ${ino}`;
    const open = this.#open.get(place);
    if (open !== undefined) return open.destination;
    const options = { most: Number.POSITIVE_INFINITY, piece: PIECE, gap: () => Buffer.alloc(0) };
    const destination = new Destination({ fd: openStandardStream(fd), own: false }, options);
    this.#open.set(place, { fd, destination });
    return destination;
  }
}
