/**
 * npm's `prepare` and `prepack`: builds the command where that can be done, and says what to do where it cannot.
 *
 * Plain JavaScript of Node's own, since it runs before anything is installed. A checkout has no build, and building takes the
 * development dependencies; what `npm pack` makes has one, and runs none of this.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const canBuild = existsSync(join(ROOT, "node_modules/rolldown"));
const isBuilt = existsSync(join(ROOT, "dist/main.js"));
const isPacking = process.env.npm_lifecycle_event === "prepack";

if (canBuild) {
  // `npm pack` runs both: one build is enough.
  if (isPacking) run("share");
  else if (process.env.npm_command !== "pack") run("build");
} else if (isPacking) {
  stop("A package is made from a build, and that takes the development dependencies: npm ci && npm pack");
} else if (!isBuilt && process.env.npm_config_global === "true") {
  stop(
    "This checkout is not built, and a global installation would only link to it. Make a package, and install that:\n" +
      "  npm ci && npm pack && npm install -g ./pfxbridge-*.tgz",
  );
} else if (!isBuilt) {
  console.error(
    "pfxbridge: nothing is built, since that takes the development dependencies: npm ci. " +
      "A package made by `npm pack` installs and runs without them.",
  );
}

/** @param {string} script of package.json */
function run(script) {
  const { status } = spawnSync("npm", ["run", "--silent", script], { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

/** @param {string} why */
function stop(why) {
  console.error(`pfxbridge: ${why}`);
  process.exit(1);
}
