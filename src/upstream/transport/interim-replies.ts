/**
 * Lets undici read interim replies that nobody asked for (RFC 9110 §15.2: a client must be able to). It passes over all of
 * them but `100 Continue`, upon which it ends the connection; so a status of 100 is read as 102, which says as little.
 *
 * Where a reply begins is known from undici itself, whose parser knows where the one before ended: what it reads is cut
 * where a status line might begin, and each piece is looked at only once all before it has been read. So no byte of a
 * body is ever changed. Only when several replies can be in one piece is there anything to cut: after an interim one, or
 * when several calls are under way.
 */
import type { Socket } from "node:net";

/** The connection that replies come in on. */
export interface Incoming {
  /** Calls that are on it. */
  readonly calls: number;
  /** Whether a reply has begun and not ended. */
  readonly replyUnderWay: boolean;
}

/** `HTTP/1.x 100`, byte by byte; a 0 stands for any. */
const CONTINUE: readonly number[] = [...Buffer.from("HTTP/1.\0 100")];
/** As much of it as shows that a reply is interim. */
const INTERIM = CONTINUE.length - 2;
const START = Buffer.from("HTTP/1.");
const [CR, LF] = [0x0d, 0x0a];
const TWO = 0x32;

/** Has whoever reads from the socket see `102` where `100` was sent. */
export function passOverContinue(socket: Socket, incoming: Incoming): void {
  const read = socket.read.bind(socket);
  /** How much of the status line under way is that of a `100 Continue` so far; all once it is known to be or not. */
  let matched = CONTINUE.length;
  let interim = false;
  /** What was read and not yet handed on. */
  let rest: Buffer | null = null;

  socket.read = (size?: number): Buffer | null => {
    // Node itself asks for nothing, to have the socket read on.
    if (size !== undefined) return read(size);
    const chunk: Buffer | null = rest ?? read();
    rest = null;
    if (chunk === null || socket.destroyed) return null;
    let at = 0;
    if (!incoming.replyUnderWay) {
      while (chunk[at] === CR || chunk[at] === LF) at++;
      matched = 0;
    }
    if (matched < CONTINUE.length) {
      for (; at < chunk.length && matched < CONTINUE.length; at++, matched++) {
        const wanted = CONTINUE[matched];
        if (wanted !== 0 && wanted !== chunk[at]) break;
      }
      interim = matched >= INTERIM;
      if (matched === CONTINUE.length) chunk[at - 1] = TWO;
      else if (at < chunk.length) matched = CONTINUE.length;
    }
    if (!interim && incoming.calls < 2) return chunk;
    const end = nextStart(chunk, Math.max(at, 1));
    if (end === chunk.length) return chunk;
    rest = chunk.subarray(end);
    return chunk.subarray(0, end);
  };
}

/** Where, from a place on, a status line might begin, or be about to at the very end; the length if nowhere. */
function nextStart(chunk: Buffer, from: number): number {
  const at = chunk.indexOf(START, from);
  if (at >= 0) return at;
  for (let end = Math.max(from, chunk.length - START.length + 1); end < chunk.length; end++) {
    if (chunk.compare(START, 0, chunk.length - end, end) === 0) return end;
  }
  return chunk.length;
}
