/** What of a call or a reply is kept for an explanation: its beginning, such that nothing larger stays in memory with it. */
import type { UpstreamReply } from "../model/exchange.ts";

/** Of a body, in bytes or characters. */
export const MOST_BODY = 4096;
/** What a reply came in with may stay, if it is no larger than that: most replies are not, and need no copy. */
const MOST_ALONG = 3 * 4096;
/** Of all header fields of a reply that is copied, in characters. */
const MOST_HEADERS = 4096;

/** How long a body was that is not kept whole. */
export interface KeptReply extends UpstreamReply {
  /** Bytes of the whole body. */
  readonly length?: number;
}

/** A body no longer than what is shown of it, and one character, so that it is seen to be cut. */
export function keptText(text: string | null): string | null {
  if (text === null || text.length <= MOST_BODY) return text;
  // A slice of a string would keep all of it.
  return Buffer.from(text.slice(0, MOST_BODY + 1)).toString("utf8");
}

/** @returns with it, about how many bytes stay in memory */
export function keptReply(reply: UpstreamReply): { readonly reply: KeptReply; readonly size: number } {
  const { status, body } = reply;
  const along = body.length === 0 ? MOST_ALONG + 1 : body.buffer.byteLength;
  if (along <= MOST_ALONG) return { reply, size: along };
  const headers = new Map<string, string>();
  let size = 0;
  for (const [name, value] of reply.headers) {
    size += name.length + value.length;
    if (size > MOST_HEADERS) break;
    headers.set(name, value);
  }
  const kept = Buffer.from(body.subarray(0, MOST_BODY + 1));
  return { reply: { status, headers, body: kept, length: body.length }, size: size + kept.length };
}
