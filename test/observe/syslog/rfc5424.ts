/** A reader of RFC 5424 (§6) that takes nothing else, and of the frames of RFC 6587 (§3.4.1). */

export interface SyslogMessage {
  readonly facility: number;
  readonly severity: number;
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly process: string;
  readonly kind: string;
  readonly text: string;
}

const SEVERITY = /^<(0|[1-9]\d{0,2})>1 /;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d) /;

/** @throws Error that says what of it is no RFC 5424 */
export function parseMessage(bytes: Buffer): SyslogMessage {
  const whole = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  let rest = whole;
  const take = (what: string, pattern: RegExp): string => {
    const found = pattern.exec(rest)?.[0];
    if (found === undefined) throw new Error(`no ${what}: ${JSON.stringify(rest.slice(0, 80))}`);
    rest = rest.slice(found.length);
    return found.trimEnd();
  };
  const priority = Number(/\d+/.exec(take("PRI and version", SEVERITY))![0]);
  if (priority > 191) throw new Error(`PRI ${priority}`);
  const time = take("TIMESTAMP", TIME);
  const host = take("HOSTNAME", /^[\x21-\x7e]{1,255} /);
  const app = take("APP-NAME", /^[\x21-\x7e]{1,48} /);
  const process = take("PROCID", /^[\x21-\x7e]{1,128} /);
  const kind = take("MSGID", /^[\x21-\x7e]{1,32} /);
  take("STRUCTURED-DATA", /^- /);
  if (/[\x00-\x1f\x7f]/.test(rest)) throw new Error("a control character in MSG");
  return { facility: priority >> 3, severity: priority & 7, time, host, app, process, kind, text: rest };
}

/** Takes frames of a stream as they come. */
export class Frames {
  #bytes = Buffer.alloc(0);

  add(chunk: Buffer): Buffer[] {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const found: Buffer[] = [];
    for (;;) {
      const [header, digits] = /^([1-9]\d{0,5}) /.exec(this.#bytes.toString("latin1", 0, 8)) ?? [];
      if (header === undefined) {
        if (this.#bytes.length > 7) throw new Error("no MSG-LEN");
        return found;
      }
      const end = header.length + Number(digits);
      if (this.#bytes.length < end) return found;
      found.push(this.#bytes.subarray(header.length, end));
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}
