/**
 * The header of a call: the bridge's own fields, those fixed for the service, those of the mapping, and those of `auth`.
 *
 * On the same name the later of these wins. What doesn't change from call to call is laid out beforehand.
 */

import type { Failure } from "../model/failure.ts";
import { isHeaderName, isHeaderValue, isReservedHeader, textOfWire, wireValue } from "../model/header.ts";
import type { AuthHeaders } from "./auth.ts";

const REQUEST_ID = "x-request-id";
const TRACE = "traceparent";
/** A module may make up names without end. */
const MOST_KNOWN = 100;

export class CallHeaders {
  readonly #flat: readonly string[];
  readonly #authNames: ReadonlySet<string>;
  /** The last before the request's id: what a call says of its trace, unless the service has a fixed one. */
  readonly #isTraced: boolean;
  /** Where the value of a fixed header stands, by its name. */
  readonly #positions: ReadonlyMap<string, number>;
  /** Names that were found to be the mapping's to set; it has the same ones in each call. */
  readonly #known = new Set<string>();

  /**
   * @param fixed the service's own, secrets revealed
   * @param authNames in lower case
   * @param traced whether each call says what trace it belongs to
   * @throws Error that names the header that cannot be sent
   */
  constructor(
    userAgent: string,
    fixed: Readonly<Record<string, string>>,
    authNames: readonly string[],
    traced = false,
  ) {
    const all = new Map([
      ["user-agent", userAgent],
      ["accept", "application/json, application/soap+xml, application/xml, text/xml, */*;q=0.1"],
      ["accept-encoding", "identity"],
    ]);
    for (const [name, text] of Object.entries(fixed)) {
      const lower = name.toLowerCase();
      if (isReservedHeader(lower) || authNames.includes(lower)) {
        throw new Error(`the header ${name} is set by the bridge itself`);
      }
      if (!isHeaderValue(text)) throw new Error(`the value of the header ${name} holds a control character`);
      all.set(lower, wireValue(text));
    }
    this.#isTraced = traced && !all.has(TRACE);
    if (this.#isTraced) all.set(TRACE, "");
    this.#flat = [...all, [REQUEST_ID, ""]].flat();
    this.#positions = new Map([...all.keys()].map((name, n) => [name, 2 * n + 1]));
    this.#authNames = new Set(authNames);
  }

  /** Names and values in turn, as undici takes them; or why a call cannot bear the mapping's. */
  assemble(
    own: Readonly<Record<string, string>>,
    requestId: string,
    auth: AuthHeaders,
    traceparent = "",
  ): string[] | Failure {
    const headers = this.#flat.slice();
    headers[headers.length - 1] = requestId;
    if (this.#isTraced) headers[headers.length - 3] = traceparent;
    for (const name in own) {
      const problem = this.#known.has(name) ? null : this.#problemWith(name);
      if (problem !== null) return refused(name, problem);
      const text = own[name]!;
      if (!isHeaderValue(text)) return refused(name, "has a value with a control character");
      const value = wireValue(text);
      const position = this.#positions.get(name);
      if (position === undefined) headers.push(name, value);
      else headers[position] = value;
    }
    for (const name in auth) headers.push(name, auth[name]!);
    return headers;
  }

  #problemWith(name: string): string | null {
    if (isReservedHeader(name) || this.#authNames.has(name)) return "is not the mapping's to set";
    if (!isHeaderName(name)) return "is no header name in lower case";
    if (this.#known.size < MOST_KNOWN) this.#known.add(name);
    return null;
  }
}

/** Of what `assemble` gave, each name with its value as text. */
export function* namedTexts(assembled: readonly string[]): Generator<[name: string, text: string]> {
  for (let at = 0; at < assembled.length; at += 2) {
    yield [assembled[at]!, textOfWire(Buffer.from(assembled[at + 1]!, "latin1"))];
  }
}

function refused(name: string, why: string): Failure {
  return { cause: "mapping_error", detail: `the header ${JSON.stringify(name)} ${why}` };
}
