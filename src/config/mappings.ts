/** `mapping` of a service: found, and loaded with the parameters that the service sets. */
import { findMapping } from "../mapping/find.ts";
import { loadMapping } from "../mapping/load.ts";
import type { Path } from "../yaml/position.ts";
import { ProblemError } from "../yaml/problem.ts";
import type { MappingConfig } from "./config.ts";
import { fileProblem } from "./permissions.ts";
import type { Report } from "./report.ts";
import type { RawService } from "./schema.ts";

/** Whether a mapping is code, which nothing runs while the process has root's rights. */
function isModule(file: string): boolean {
  return /\.m?js$/.test(file);
}

export async function readMapping(
  raw: RawService["mapping"],
  path: Path,
  report: Report,
): Promise<MappingConfig> {
  const { use, with: parameters } = typeof raw === "string" ? { use: raw, with: {} } : raw;
  const place = typeof raw === "string" ? path : [...path, "use"];
  const unusable = (message?: string) => {
    if (message !== undefined) report.error(place, message);
    return { name: use, file: use, parameters, loaded: null };
  };
  let file: string;
  try {
    file = findMapping(use, report.file);
  } catch (error) {
    return unusable(error instanceof Error ? error.message : String(error));
  }
  const problem = fileProblem(file);
  if (problem !== undefined) return unusable(`the mapping ${problem}`);
  if (isModule(file)) return { name: use, file, parameters, loaded: null };
  try {
    return { name: use, file, parameters, loaded: await loadMapping({ name: use, file, parameters }) };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    report.include(error.problems);
    return unusable();
  }
}
