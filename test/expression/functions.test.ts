/** mappings/README.md lists every function that an expression may use, and none that is not there. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { environmentOf } from "../../src/expression/environment.ts";

const README = readFileSync(new URL("../../mappings/README.md", import.meta.url), "utf8");
/** Operators and keywords that look like functions there. */
const NO_FUNCTIONS = new Set(["in"]);

it.each(["request", "response"] as const)("the functions of a %s are those of the table", (kind) => {
  const table = README.slice(README.indexOf("| function | |")).split("\n\n")[0] ?? "";
  const written = [...table.matchAll(/([A-Za-z_]\w*)\(/g)].map(([, name]) => name!);
  const registered = environmentOf(kind)
    .getDefinitions()
    .functions.map(({ name }) => name);
  const names = (list: readonly string[]) =>
    [...new Set(list)].filter((name) => !NO_FUNCTIONS.has(name)).sort();
  expect(names(written)).toEqual(names(registered));
});
