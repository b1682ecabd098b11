/** `mapping` of a service: found, and loaded with the parameters that the service sets. */
import { runsAsRoot } from "../files/hands.ts";
import { findMapping, isShipped } from "../mapping/find.ts";
import { type LoadedMapping, loadMapping } from "../mapping/load.ts";
import type { Path } from "../source/position.ts";
import { ProblemError } from "../source/problem.ts";
import { fileProblem } from "../source/trusted.ts";
import type { Report } from "./report.ts";
import type { RawService } from "./schema.ts";
import { revealed, type Secret } from "./secret.ts";

/** Undefined, and problems in the report, when it cannot be used. The code of a module is not run yet. */
export async function readMapping(
  {
    mapping: raw,
    max_xml_size: maxXmlSize,
    max_json_size: maxJsonSize,
    secrets: rawSecrets,
  }: Pick<RawService, "mapping" | "max_xml_size" | "max_json_size" | "secrets">,
  secrets: Readonly<Record<string, Secret>>,
  path: Path,
  report: Report,
): Promise<LoadedMapping | undefined> {
  const {
    use: name,
    preset,
    with: parameters,
  } = typeof raw === "string" ? { use: raw, preset: undefined, with: {} } : raw;
  const place = typeof raw === "string" ? path : [...path, "use"];
  try {
    const file = findMapping(name, report.file);
    const problem = fileProblem(file, runsAsRoot() && !isShipped(file), report.owner);
    if (problem === undefined) {
      const loaded = await loadMapping({
        name,
        file,
        preset,
        parameters,
        presetProblem: (message) => report.problem([...path, "preset"], message),
        maxXmlSize,
        maxJsonSize,
        // Of one that cannot be had it is known that it is meant to be there.
        secrets: { names: Object.keys(rawSecrets), values: revealed(secrets) },
        ...(report.owner !== undefined && { owner: report.owner }),
        parameterProblem: (parameter, message) =>
          parameter === null
            ? report.problem(place, message)
            : report.problem([...path, "with", parameter], message, { key: true }),
      });
      report.include(loaded.warnings);
      return loaded;
    }
    report.error(place, `the mapping cannot be used: ${problem}`);
  } catch (error) {
    if (error instanceof ProblemError) report.include(error.problems);
    else report.error(place, error instanceof Error ? error.message : String(error));
  }
  return undefined;
}
