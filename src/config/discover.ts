/** `discover` of a service: whether its own document says where it is asked, and where that document is. */
import type { LoadedMapping } from "../mapping/load.ts";
import { isLoopback } from "../model/loopback.ts";
import type { Path } from "../source/position.ts";
import { EVALUATION } from "../upstream/authzen-metadata.ts";
import type { ServiceConfig } from "./config.ts";
import type { Report } from "./report.ts";
import type { RawService } from "./schema.ts";
import { urlProblem } from "./urls.ts";

/** @param urls the service's, those without a problem */
export function readDiscover(
  raw: RawService["discover"],
  urls: readonly string[],
  path: Path,
  report: Report,
): ServiceConfig["discover"] {
  if (raw === undefined) return undefined;
  if (raw === "authzen") return {};
  const at = [...path, "authzen"];
  const problem = addressProblem(raw.authzen, urls);
  if (problem === undefined) return { address: new URL(raw.authzen) };
  report.error(at, problem);
  return undefined;
}

function addressProblem(text: string, urls: readonly string[]): string | undefined {
  const problem = urlProblem(text);
  if (problem !== undefined) return problem;
  if (urls.length > 1) {
    return "one address is the document of one URL, and this service has several; write discover: authzen, or make a service of each";
  }
  const { protocol, hostname } = new URL(text);
  const plain = urls.some((url) => url.startsWith("http://"));
  if (protocol === "http:" && !plain && !isLoopback(hostname)) {
    return "over http:// others could say where the service is asked; expected an address that begins with https://";
  }
  return undefined;
}

/** Discovery takes the place of AuthZEN's paths, and of no others. */
export function checkDiscovered(
  { path: asked, isModule, name }: LoadedMapping,
  path: Path,
  report: Report,
): void {
  if (isModule || asked === EVALUATION) return;
  const message = `discover: authzen finds the address for ${EVALUATION}, and the mapping ${name} asks another path; it is for the mapping authzen`;
  report.error(path, message, { key: true });
}
