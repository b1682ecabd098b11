/**
 * HTTP/2 on one socket, by node:http2: each call is a stream.
 *
 * Nothing is sent before the peer's SETTINGS are there, which say how many streams it takes at once (RFC 9113 §6.5.2).
 * What it refused, and what is above the last stream that its GOAWAY names, it did not process (§6.8, §8.7). A reply
 * counts as complete when its END_STREAM has come, and not because the stream is over.
 */
import http2 from "node:http2";
import type { Socket } from "node:net";
import {
  type Carrier,
  ConnectionClosed,
  ConnectionEnded,
  type Exchange,
  MalformedReply,
  NotProcessed,
  type Outgoing,
  StreamReset,
  UnsendableCall,
} from "./carrier.ts";
import { messageOf } from "./errors.ts";

/** Streams of one connection; what RFC 9113 §6.5.2 recommends that a server grants at least. */
export const STREAMS = 100;

/** What may come in before it is acknowledged, of one reply and of all, in bytes. */
const STREAM_WINDOW = 256 * 1024;
const CONNECTION_WINDOW = 1024 * 1024;

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;

/** Who is told what the peer says of the connection as a whole. */
export interface SessionOwner {
  /** Its SETTINGS are there, and what it takes is known; told again when it changes. */
  onSettings(): void;
  /** It takes no more calls (GOAWAY). */
  onGoodbye(): void;
  /** Before it took any. */
  onFailure(error: Error): void;
}

export class Http2 implements Carrier {
  readonly multiplexed = true;
  readonly #session: http2.ClientHttp2Session;
  readonly #scheme: string;
  readonly #authority: string;
  #capacity = 0;
  /** The last stream that the peer works on. */
  #last = Number.POSITIVE_INFINITY;
  #lost: Error | null = null;
  #destroyed = false;

  constructor(origin: string, socket: Socket, owner: SessionOwner) {
    const { protocol, host } = new URL(origin);
    this.#scheme = protocol.slice(0, -1);
    this.#authority = host;
    this.#session = http2.connect(origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    this.#session.once("connect", (session) => session.setLocalWindowSize(CONNECTION_WINDOW));
    this.#session.on("remoteSettings", ({ maxConcurrentStreams = STREAMS }) => {
      // Without any, a call waits until one is granted.
      this.#capacity = Math.max(1, Math.min(STREAMS, maxConcurrentStreams));
      owner.onSettings();
    });
    this.#session.on("goaway", (_code, last) => {
      this.#last = Math.min(this.#last, last);
      owner.onGoodbye();
    });
    socket.on("error", (error) => {
      this.#lost ??= error;
    });
    this.#session.on("error", (error) => {
      this.#lost ??= error;
    });
    this.#session.on("close", () => {
      if (this.#capacity === 0) owner.onFailure(this.#reasonOfLoss());
    });
  }

  get capacity(): number {
    return this.#capacity;
  }

  dispatch(call: Outgoing, exchange: Exchange): void {
    // What asking it would do differs from one Node to the next.
    if (this.#session.closed || this.#session.destroyed) {
      exchange.onError(new NotProcessed("it takes no more calls"));
      return;
    }
    const fields: http2.OutgoingHttpHeaders = {
      ":method": call.method,
      ":scheme": this.#scheme,
      ":authority": this.#authority,
      ":path": call.path,
    };
    for (let at = 0; at < call.headers.length; at += 2) fields[call.headers[at]!] = call.headers[at + 1];
    const body = call.body === null ? null : Buffer.from(call.body);
    if (body !== null) fields["content-length"] = body.length;
    let stream: http2.ClientHttp2Stream;
    try {
      stream = this.#session.request(fields, { endStream: body === null });
    } catch (error) {
      exchange.onError(new UnsendableCall(messageOf(error)));
      return;
    }
    exchange.onConnect(() => stream.close(NGHTTP2_CANCEL));
    if (body !== null) stream.end(body);
    this.#listen(stream, exchange);
  }

  #listen(stream: http2.ClientHttp2Stream, exchange: Exchange): void {
    let whole = false;
    let complete = false;
    let failure: Error | null = null;
    // END_STREAM ends what can be read while the stream is still there; when it is reset, what can be read ends, too.
    const push = stream.push;
    stream.push = (chunk, encoding) => {
      if (chunk === null && !stream.closed) whole = true;
      return push.call(stream, chunk, encoding);
    };
    // Interim ones: they are counted, and passed over.
    stream.on("headers", ({ ":status": status = 0 }) => exchange.onHeaders(status, []));
    stream.once("response", ({ ":status": status = 0, ...fields }) => {
      exchange.onResponseStarted();
      exchange.onHeaders(status, raw(fields));
    });
    stream.on("data", (chunk: Buffer) => exchange.onData(chunk));
    stream.once("end", () => {
      complete = whole;
      if (complete) exchange.onComplete();
    });
    stream.on("error", (error) => {
      failure = error;
    });
    stream.once("close", () => {
      if (!complete) exchange.onError(this.#reasonOf(stream, failure));
    });
  }

  /** Why a stream ended without a reply. */
  #reasonOf(stream: http2.ClientHttp2Stream, error: Error | null): Error {
    const { id, rstCode } = stream;
    if (this.#destroyed) return new ConnectionEnded();
    if (rstCode === NGHTTP2_REFUSED_STREAM || id === undefined || id > this.#last) {
      return new NotProcessed("it refused the call before it worked on it (REFUSED_STREAM, GOAWAY)");
    }
    // A server that closes a connection may end its streams first, and without an error.
    if (this.#session.destroyed || this.#lost !== null || rstCode === NGHTTP2_NO_ERROR)
      return this.#reasonOfLoss();
    const code = error?.message.match(/NGHTTP2_\w+/)?.[0] ?? `code ${rstCode}`;
    if (rstCode === NGHTTP2_PROTOCOL_ERROR)
      return new MalformedReply(`it is not HTTP/2 as it should be (${code})`);
    return new StreamReset(`it ended the call without a complete reply (${code})`);
  }

  #reasonOfLoss(): Error {
    return this.#lost ?? new ConnectionClosed("closed");
  }

  destroy(): void {
    this.#destroyed = true;
    this.#session.destroy();
  }
}

/** Names and values in turn, as sent. */
function raw(fields: http2.IncomingHttpHeaders): Buffer[] {
  const all: Buffer[] = [];
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value ?? ""]) {
      all.push(Buffer.from(name, "latin1"), Buffer.from(one, "latin1"));
    }
  }
  return all;
}
