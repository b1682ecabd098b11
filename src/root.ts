/** The folder of this installation: where package.json stands, however the code in it was built. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

export const ROOT = rootOf(import.meta.dirname);

function rootOf(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : rootOf(dirname(folder));
}
