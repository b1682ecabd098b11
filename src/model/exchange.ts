/** The two things that pass between a mapping and the service: a call as rendered, and its complete reply. */

/** A call, ready to be joined to a service's URL. Everything in it is escaped for its place already. */
export interface UpstreamRequest {
  readonly method: string;
  /** Path and query below the service's URL: empty, or beginning with `/` or `?`. */
  readonly path: string;
  /** The mapping's own headers, names in lower case; Content-Type among them where there is a body. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, to be sent as UTF-8; null for none. */
  readonly body: string | null;
}

/** A complete reply, decompressed and within the size limit. */
export interface UpstreamReply {
  readonly status: number;
  /** Names in lower case; repeated fields joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}
