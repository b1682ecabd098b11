/** What the bridge printed: decision lines by request, and whatever should not have been printed. */

/** A decision line, what of it is checked. */
export interface Line {
  readonly at: number;
  readonly action: string | null;
  readonly source: string;
  readonly cause: string | undefined;
}

/** Lines that say that the bridge itself is at fault. */
const FAULT = /a fault inside the bridge|a fault of the bridge itself/;

export class DecisionLog {
  /** By `nameOf` the request. */
  readonly lines = new Map<string, Line[]>();
  /** How many decisions had which source. */
  readonly sources: Record<string, number> = {};
  readonly problems: string[] = [];
  readonly #secrets: readonly string[];
  readonly #ids = new Set<string>();

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
  }

  readonly add = (text: string): void => {
    if (this.#secrets.some((secret) => text.includes(secret))) this.problems.push(`a secret in: ${text}`);
    const line = parse(text);
    if (line === undefined) {
      this.problems.push(`a line that is no JSON: ${text}`);
      return;
    }
    if (FAULT.test(text)) this.problems.push(text);
    if (line.msg !== "decision") return;
    if (this.#ids.has(line.request_id)) this.problems.push(`a request_id that was there before: ${text}`);
    this.#ids.add(line.request_id);
    this.sources[line.source] = (this.sources[line.source] ?? 0) + 1;
    const name = nameOf(line.instance, line.protocol_state, line.recipient);
    const lines = this.lines.get(name) ?? [];
    lines.push({ at: Date.parse(line.time), action: line.action, source: line.source, cause: line.cause });
    this.lines.set(name, lines);
  };
}

interface Logged {
  readonly time: string;
  readonly msg: string;
  readonly request_id: string;
  readonly action: string | null;
  readonly source: string;
  readonly cause?: string;
  readonly instance: string;
  readonly protocol_state: string;
  readonly recipient: string;
}

export function nameOf(instance: string, state: string, recipient: string): string {
  return `${instance} ${state} ${recipient}`;
}

function parse(text: string): Logged | undefined {
  try {
    return JSON.parse(text) as Logged;
  } catch {
    return undefined;
  }
}
