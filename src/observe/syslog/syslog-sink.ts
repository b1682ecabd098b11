/**
 * Lines on their way to syslog. Nobody ever waits for it.
 *
 * Lines wait in memory while there is no way to it, or it takes nothing; then it is tried again after longer and longer
 * pauses. Beyond a limit lines are dropped and counted, until half of what waits has gone: one gap, and one word about it.
 * That syslog is gone is told once, elsewhere; that it is back is told to itself.
 */
import { countDropped, HAND_OVER_TIME, NOTHING_LEFT, type Rest, type Sink } from "../sink.ts";
import { type Channel, openChannel, type Sent } from "./channel.ts";
import { nameOf, type SyslogPlace } from "./target.ts";

export interface SyslogSinkOptions {
  /** Bytes that may wait, about. */
  readonly most: number;
  /** Makes of a line in JSON, with its end, what is sent. */
  readonly message: (line: string) => Buffer;
  /** The line, in JSON, that says how many were dropped. */
  readonly gap: (dropped: number) => string;
  /** The line that says since when it was gone. */
  readonly again: (since: string) => string;
  /** Told once when lines cannot be sent: why. */
  readonly onGone: (problem: string) => void;
}

/** Before it is tried again, in milliseconds; doubles. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 10_000;
/** What is not taken for so long is not taken: a server that hangs. */
const STUCK = 5000;
/** What a line takes besides its characters. */
const LINE_COST = 64;

export class SyslogSink implements Sink {
  readonly #place: SyslogPlace;
  readonly #options: SyslogSinkOptions;
  /** In JSON, with their ends; from `#first` on they wait, and the first `#sending` of those are on their way. */
  #queue: string[] = [];
  #first = 0;
  #sending = 0;
  #waiting = 0;
  #dropped = 0;
  #isDropping = false;
  #channel: Channel | null = null;
  #isOpening = false;
  /** Whether the channel has been there long enough to be believed. */
  #isSettled = false;
  #settling: NodeJS.Timeout | undefined;
  #stuck: NodeJS.Timeout | undefined;
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;
  /** Since when nothing could be sent. */
  #goneSince: string | null = null;
  #former: Promise<void> | null = null;
  #isEnded = false;
  #onIdle: (() => void) | null = null;

  constructor(place: SyslogPlace, options: SyslogSinkOptions) {
    this.#place = place;
    this.#options = options;
  }

  /** @param line in JSON, with its end */
  write(line: string): void {
    if (this.#isEnded) return;
    this.#isDropping ||= this.#waiting + line.length + LINE_COST > this.#options.most;
    if (this.#isDropping) {
      this.#dropped++;
      countDropped(1);
    } else {
      this.#push(line);
    }
    this.#soon();
  }

  follow(former: Sink): void {
    this.#former = former.leave(HAND_OVER_TIME).then(({ lines, dropped }) => {
      this.#former = null;
      const own = this.#queue.slice(this.#first);
      const left = lines.flatMap((each) => each.toString().split(/(?<=\n)/)).filter((line) => line !== "");
      this.#queue = [];
      this.#first = 0;
      this.#waiting = 0;
      for (const line of left) this.#push(line);
      if (dropped > 0) this.#push(this.#options.gap(dropped));
      for (const line of own) this.#push(line);
      this.#soon();
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
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    clearTimeout(this.#stuck);
    clearTimeout(this.#settling);
    this.#channel?.close();
    // What is on its way may still arrive: twice is better than not at all.
    const left = this.#queue.slice(this.#first);
    return { lines: left.map((line) => Buffer.from(line)), dropped: this.#dropped };
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
    return this.#former === null && this.#first === this.#queue.length;
  }

  #push(line: string): void {
    this.#queue.push(line);
    this.#waiting += line.length + LINE_COST;
  }

  /** Lines of the same moment go out together, and not on the way of a decision. */
  #soon(): void {
    if (this.#immediate !== null || this.#sending > 0 || this.#timer !== null || this.#isEnded) return;
    this.#immediate = setImmediate(() => {
      this.#immediate = null;
      this.#next();
    });
  }

  #next(): void {
    if (this.#sending > 0 || this.#timer !== null || this.#isEnded || this.#former !== null) return;
    if (this.#first === this.#queue.length) return;
    if (this.#channel === null) {
      if (!this.#isOpening) void this.#open();
      return;
    }
    const lines = this.#queue.slice(this.#first, this.#first + this.#channel.together);
    this.#sending = lines.length;
    const channel = this.#channel;
    this.#stuck = setTimeout(() => this.#say("it takes no lines"), STUCK).unref();
    channel.send(lines.map(this.#options.message), (outcome) => this.#onSent(channel, outcome));
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    let lost: string | undefined;
    let channel: Channel | null = null;
    try {
      const opened = await openChannel(this.#place, (problem) => {
        lost = problem;
        if (channel !== null) this.#onLost(channel, problem);
      });
      channel = opened;
      if (this.#isEnded) opened.close();
      else if (lost === undefined) this.#use(opened);
    } catch (error) {
      lost ??= (error as Error).message;
    }
    this.#isOpening = false;
    if (this.#isEnded) return;
    if (this.#channel === null) this.#onGone(lost ?? "it could not be opened");
    else this.#next();
  }

  #use(channel: Channel): void {
    this.#channel = channel;
    this.#isSettled = channel.settles === 0;
    if (this.#isSettled) return;
    this.#settling = setTimeout(() => {
      this.#isSettled = true;
      if (this.#sending > 0) return;
      this.#onTaken();
      this.#soon();
    }, channel.settles).unref();
  }

  #onSent(channel: Channel, { sent, tooLong, problem }: Sent): void {
    clearTimeout(this.#stuck);
    this.#sending = 0;
    if (this.#isEnded) return;
    this.#shift(sent);
    if (tooLong) {
      this.#shift(1);
      this.#dropped++;
      countDropped(1);
    }
    if (problem !== undefined) {
      if (this.#channel === channel) channel.close();
      this.#lose(channel);
      this.#onGone(problem);
    } else if (sent > 0) {
      this.#onTaken();
    }
    this.#next();
    this.#tellIfIdle();
  }

  #onTaken(): void {
    if (!this.#isSettled) return;
    this.#pause = FIRST_PAUSE;
    if (this.#goneSince !== null) this.#push(this.#options.again(this.#goneSince));
    this.#goneSince = null;
    if (this.#dropped === 0 || this.#waiting > this.#options.most / 2) return;
    this.#push(this.#options.gap(this.#dropped));
    this.#dropped = 0;
    this.#isDropping = false;
  }

  /** It is gone by itself. A server that is started again is back at once; one that refuses is told of. */
  #onLost(channel: Channel, problem: string): void {
    if (this.#isEnded || this.#channel !== channel) return;
    const wasSettled = this.#isSettled;
    this.#lose(channel);
    if (this.#sending > 0) return;
    if (wasSettled) this.#soon();
    else this.#onGone(problem);
  }

  #lose(channel: Channel): void {
    if (this.#channel !== channel) return;
    this.#channel = null;
    this.#isSettled = false;
    clearTimeout(this.#settling);
  }

  #say(problem: string): void {
    if (this.#goneSince !== null) return;
    this.#goneSince = new Date().toISOString();
    this.#options.onGone(`${nameOf(this.#place)}: ${problem}`);
  }

  #onGone(problem: string): void {
    this.#say(problem);
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#next();
    }, this.#pause).unref();
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  #shift(count: number): void {
    for (let n = 0; n < count; n++) this.#waiting -= this.#queue[this.#first + n]!.length + LINE_COST;
    this.#first += count;
    if (this.#first < this.#queue.length && this.#first <= 1000) return;
    this.#queue = this.#queue.slice(this.#first);
    this.#first = 0;
  }

  #tellIfIdle(): void {
    if (this.#onIdle === null || !this.#isIdle) return;
    this.#onIdle();
    this.#onIdle = null;
  }
}
