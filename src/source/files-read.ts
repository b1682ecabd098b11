/** Which files a configuration was read from, noted while it is loaded: a reload reads them again, perhaps as another user. */
import { resolve } from "node:path";

let noted: Set<string> | null = null;

/** Loads something, and notes which files are opened for it. One at a time. */
export async function notingFiles<T>(
  load: () => Promise<T>,
): Promise<{ readonly loaded: T; readonly files: readonly string[] }> {
  const files = new Set<string>();
  noted = files;
  try {
    return { loaded: await load(), files: [...files] };
  } finally {
    noted = null;
  }
}

export function noteFile(path: string): void {
  noted?.add(resolve(path));
}
