/**
 * Keeps a line of the log within what one write(2) to a pipe takes whole (pipe(7), PIPE_BUF): where several processes
 * write to the same pipe, lines never mix. A line that is longer loses the ends of its longest texts, and says so.
 */

/** Bytes that a write to a pipe never tears apart; what POSIX leaves open, Linux says so. */
export const ATOMIC_WRITE = 4096;

const MARK = "…";

/**
 * @param line JSON, with its line end
 * @param most bytes, line end included
 * @param write makes a line of what is left
 */
export function withinLimit(line: string, most: number, write: (fields: object) => string): string {
  // Three bytes are the most that a UTF-16 unit takes.
  if (line.length * 3 <= most || Buffer.byteLength(line) <= most) return line;
  const fields = JSON.parse(line) as Record<string, unknown>;
  for (let longest = 1024; longest >= 16; longest /= 2) {
    const shorter = write({ ...(cut(fields, longest) as object), shortened: true });
    if (Buffer.byteLength(shorter) <= most) return shorter;
  }
  const { level, time, msg } = fields;
  return write({ level, time, msg: cut(msg, most / 8), shortened: true });
}

function cut(value: unknown, longest: number): unknown {
  if (typeof value === "string") {
    return value.length <= longest ? value : value.slice(0, longest) + MARK;
  }
  if (Array.isArray(value)) return value.map((item) => cut(item, longest));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, cut(member, longest)]));
}
