/**
 * Remembered decisions out of the workers and into them. What is in a shared store is one worker's business; what each has
 * in its own memory is everybody's. Nothing is asked for, and nothing sent, before what was there is taken.
 */
import type { LoadCounts } from "../bridge/bridge.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** That a worker may take for a piece, in milliseconds. */
const PIECE_TIME = 30_000;
/** Lines are sent together: so many, or so many characters. */
const MOST_LINES = 256;
const MOST_LENGTH = 256 * 1024;

let readers = 0;

export async function* exportAll(workers: readonly WorkerProcess[]): AsyncGenerator<string, void> {
  for (const [index, worker] of workers.entries()) yield* exportOf(worker, index > 0);
}

async function* exportOf(worker: WorkerProcess, own: boolean): AsyncGenerator<string, void> {
  const reader = ++readers;
  let isDone = false;
  try {
    while (!isDone) {
      const lines = await worker.call("export", { reader, own }, PIECE_TIME);
      isDone = lines.length === 0;
      yield* lines;
    }
  } finally {
    // Whoever reads may leave early.
    if (!isDone) void worker.call("endExport", reader, PIECE_TIME).catch(() => {});
  }
}

/**
 * What became of the lines is what the first worker says: it alone knows all stores.
 *
 * @param workers at least one
 */
export async function loadAll(
  workers: readonly WorkerProcess[],
  lines: AsyncIterable<string>,
): Promise<LoadCounts> {
  const reasons: Record<string, number> = {};
  let loaded = 0;
  let forgotten = 0;
  let refused = 0;
  for await (const piece of inPieces(lines)) {
    const counts = await Promise.all(
      workers.map((worker, index) => worker.call("load", { lines: piece, own: index > 0 }, PIECE_TIME)),
    );
    const first = counts[0]!;
    loaded += first.loaded;
    forgotten += first.forgotten ?? 0;
    refused += first.refused;
    for (const [reason, count] of Object.entries(first.reasons)) {
      reasons[reason] = (reasons[reason] ?? 0) + count;
    }
  }
  return { loaded, refused, reasons, ...(forgotten > 0 && { forgotten }) };
}

async function* inPieces(lines: AsyncIterable<string>): AsyncGenerator<readonly string[], void> {
  let piece: string[] = [];
  let length = 0;
  for await (const line of lines) {
    piece.push(line);
    length += line.length;
    if (piece.length < MOST_LINES && length < MOST_LENGTH) continue;
    yield piece;
    piece = [];
    length = 0;
  }
  if (piece.length > 0) yield piece;
}
