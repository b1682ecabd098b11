/**
 * The body of a request to the control endpoint: one JSON document, or lines of any number, within limits.
 */

import type { IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";
import { JsonError, parseJson } from "../expression/json.ts";
import { boundedText } from "../model/bounded-text.ts";
import type { Refusal } from "./controls.ts";

const MAX_JSON = 64 * 1024;
/** Milliseconds that a JSON body may take to arrive. */
const JSON_TIME = 10_000;
/** A remembered reply in one line, in characters. */
const MAX_LINE = 2 * 1024 * 1024;

/** The JSON document; an empty body is an empty object. */
export async function readJson(request: IncomingMessage): Promise<{ readonly value: unknown } | Refusal> {
  const timer = setTimeout(() => request.destroy(), JSON_TIME);
  try {
    const text = await boundedText(request, MAX_JSON);
    if (text === null) return { problem: `the body is larger than ${MAX_JSON} bytes` };
    return { value: text.trim() === "" ? {} : parseJson(text) };
  } catch (error) {
    if (error instanceof JsonError) return { problem: `the body is not readable as JSON: ${error.message}` };
    return { problem: "the body did not arrive in time" };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The lines of a body, empty ones left out, without ever holding more than one. A line that is too long is not given;
 * `onTooLong` is told of it.
 */
export async function* readLines(
  request: AsyncIterable<Buffer>,
  onTooLong: () => void,
): AsyncGenerator<string, void> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let skipping = false;
  for await (const chunk of request) {
    const text = decoder.write(chunk);
    if (text.includes("\n")) {
      const pieces = (rest + text).split("\n");
      rest = pieces.pop() ?? "";
      for (const piece of pieces) {
        if (skipping) skipping = false;
        else if (piece.length > MAX_LINE) onTooLong();
        else if (piece.trim() !== "") yield piece;
      }
    } else {
      // Not looked through again with each piece that comes, which may be a byte.
      rest += text;
    }
    if (rest.length > MAX_LINE || skipping) {
      if (!skipping) onTooLong();
      skipping = true;
      rest = "";
    }
  }
  if (!skipping && rest.trim() !== "") yield rest;
}
