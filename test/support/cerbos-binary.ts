/** Where Cerbos is. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/**
 * The one that PFXBRIDGE_CERBOS names (.ci/run takes the newest there is for its platform), else that of the npm package
 * `cerbos`, which is older and knows several platforms.
 */
export function cerbosBinary(): string {
  const given = process.env.PFXBRIDGE_CERBOS;
  if (given !== undefined) return given;
  const name = `cerbos-${process.platform}-${process.arch}`;
  const cerbos = createRequire(import.meta.url).resolve("cerbos/package.json");
  return join(dirname(createRequire(cerbos).resolve(`@cerbos/${name}/package.json`)), name);
}
