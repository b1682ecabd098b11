/** The race of a promise against time. */

/** What has not come in time. */
export const LATE = Symbol("late");

/**
 * What a promise gives, or LATE when so many milliseconds have passed before. It rejects as the promise does; what the
 * promise does after that is nobody's concern.
 */
export async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(resolve, milliseconds, LATE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
