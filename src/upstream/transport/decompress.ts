/**
 * Content codings of a reply's body (RFC 9110 §8.4.1): gzip, deflate and br, one or several on top of each other.
 *
 * The bridge asks for none, since what it is sent is small, but some services compress all the same. Works in libuv's
 * threads; what comes out is limited, so that a small reply cannot fill the memory.
 */
import { brotliDecompress, gunzip, inflate, inflateRaw, type ZlibOptions } from "node:zlib";
import { messageOf, ownTrouble } from "./errors.ts";

type Decoder = (
  body: Buffer,
  options: ZlibOptions,
  done: (error: Error | null, result: Buffer) => void,
) => void;

const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  // RFC 9110 means the zlib format; some services send the bare stream.
  deflate: (body, options, done) => (isZlib(body) ? inflate : inflateRaw)(body, options, done),
  br: brotliDecompress,
};

const MAX_CODINGS = 3;

/** Whether there is anything to take off. */
export function isEncoded(coding: string | undefined): coding is string {
  return coding !== undefined && coding !== "" && coding !== "identity";
}

/**
 * Takes the codings off.
 *
 * @param coding Content-Encoding, as sent
 * @param limit bytes that may come out, at each step
 * @param done gets the body, or what is wrong with it; an error where this machine could not do it
 */
export function decompress(
  body: Buffer,
  coding: string,
  limit: number,
  done: (result: Buffer | string | Error) => void,
): void {
  const codings = coding
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
    .filter((name) => isEncoded(name));
  const takeOff = (rest: Buffer): void => {
    const name = codings.pop();
    if (name === undefined) {
      done(rest);
      return;
    }
    const decoder = Object.hasOwn(DECODERS, name) ? DECODERS[name]! : null;
    if (decoder === null) {
      done(`the content coding ${messageOf(JSON.stringify(name))} is not understood`);
      return;
    }
    decoder(rest, { maxOutputLength: limit }, (error, result) => {
      if (error === null) takeOff(result);
      else if ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE") done(tooLarge(limit));
      else if (ownTrouble(error) !== null) done(error);
      else done(`the body is not valid ${name}: ${messageOf(error)}`);
    });
  };
  if (codings.length > MAX_CODINGS) done(`more than ${MAX_CODINGS} content codings`);
  else takeOff(body);
}

/** What is said of a reply that exceeds the limit. */
export function tooLarge(limit: number): string {
  return `larger than ${limit} bytes, the most that is read`;
}

/** RFC 1950 §2.2: the method is 8, and the first two bytes are a multiple of 31. */
function isZlib(body: Buffer): boolean {
  return body.length >= 2 && (body[0]! & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}
