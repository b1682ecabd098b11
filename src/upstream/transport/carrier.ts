/**
 * What carries calls on one open connection, what is told of each, and the ways in which a call can be lost with the
 * connection that it was on.
 */

/** A call as it goes out; all of it is checked already. */
export interface Outgoing {
  readonly method: string;
  readonly path: string;
  /** Names in lower case and values in turn. */
  readonly headers: string[];
  readonly body: string | null;
}

/**
 * Hears how a call goes: of its connection, then of its reply in the order in which that comes in, and of its end once.
 * The names are those of undici's older handler, so that HTTP/1.1 needs no layer in between.
 */
export interface Exchange {
  /** @param abort takes the call back */
  onConnect(abort: () => void): void;
  /** The first byte of a reply, or of an interim one before it. */
  onResponseStarted(): void;
  onHeaders(status: number, headers: Buffer[]): boolean;
  onData(chunk: Buffer): boolean;
  onComplete(): void;
  onError(error: Error): void;
}

/** One protocol on one socket. */
export interface Carrier {
  /** Calls that it takes at once; with HTTP/2 the peer may change that. */
  readonly capacity: number;
  /** Whether a call can be given up without the others. */
  readonly multiplexed: boolean;
  dispatch(call: Outgoing, exchange: Exchange): void;
  /** Ends it at once; the calls on it are told. */
  destroy(): void;
}

/** The service has not worked on a call, as it says itself, or the call was never sent. */
export class NotProcessed extends Error {}

/** A connection was closed by the service before its calls were answered. */
export class ConnectionClosed extends Error {
  /** As undici names it. */
  readonly code = "UND_ERR_SOCKET";
}

/** A connection was closed by the service while a call waited behind another on it. */
export class SharedConnectionClosed extends Error {}

/** A connection was ended here, because of another call on it. */
export class ConnectionEnded extends Error {
  /** As undici names it. */
  readonly code = "UND_ERR_DESTROYED";
}

/** The service ended a call alone, not the connection that it shares. */
export class StreamReset extends Error {}

/** A proxy was not reached, or did not do what it was asked for; its message says which, and what to do. */
export class ProxyError extends Error {}

/** A reply breaks the rules of its protocol. */
export class MalformedReply extends Error {}

/** A call cannot be put into the terms of the protocol. */
export class UnsendableCall extends Error {
  /** As undici names it. */
  readonly code = "UND_ERR_INVALID_ARG";
}
