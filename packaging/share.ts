/**
 * Writes what a package carries besides the command, into dist/share: manual pages, completions, and the list of what the command
 * is made of (an SBOM, CycloneDX). `npm run share`; `npm pack` and `npm run deb` do it by themselves.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bashCompletion, zshCompletion } from "./completions.ts";
import { readHelp } from "./help.ts";
import { manPages } from "./man-pages.ts";

/** Compiled, this file is dist/packaging/share.js. */
const ROOT = join(import.meta.dirname, "../..");
const SHARE = join(ROOT, "dist/share");

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const commands = readHelp(join(ROOT, "dist/main.js"));
const mappings = readdirSync(join(ROOT, "mappings"))
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => file.replace(/\.yaml$/, ""));

rmSync(SHARE, { recursive: true, force: true });
for (const { file, text } of manPages({ root: ROOT, version, date: date(), commands }))
  write("man", file, text);
write("completions", "pfxbridge.bash", bashCompletion({ commands, mappings }));
write("completions", "_pfxbridge", zshCompletion({ commands, mappings }));
write(".", "sbom.cdx.json", sbom());

function write(folder: string, file: string, text: string): void {
  mkdirSync(join(SHARE, folder), { recursive: true });
  writeFileSync(join(SHARE, folder, file), text);
}

/** Of the last change where git knows it, so that the same commit makes the same pages. */
function date(): string {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  if (epoch !== undefined) return new Date(Number(epoch) * 1000).toISOString().slice(0, 10);
  try {
    const given = execFileSync("git", ["log", "-1", "--format=%cs"], {
      cwd: ROOT,
      encoding: "utf8",
      stdio: "pipe",
    });
    return given.trim();
  } catch {
    return new Date().toISOString().slice(0, 10);
  }
}

/**
 * Of production dependencies, by package-lock.json: also of those that only other platforms install. npm is shown a project without
 * development dependencies, since with `--omit dev` it leaves out all that those need too, zod and yaml among them.
 */
function sbom(): string {
  const folder = mkdtempSync(join(tmpdir(), "pfxbridge-sbom-"));
  try {
    // npm calls the program by the name of its folder.
    const project = join(folder, "pfxbridge");
    mkdirSync(project);
    const { devDependencies: _, ...manifest } = readJson("package.json");
    const lock = readJson("package-lock.json");
    const kept = Object.entries<Locked>(lock.packages).filter(
      ([, { dev, devOptional }]) => !dev && !devOptional,
    );
    const packages: Record<string, Locked> = Object.fromEntries(kept);
    const { devDependencies: __, ...root } = packages[""] ?? {};
    const production = { ...lock, packages: { ...packages, "": root } };
    writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(project, "package-lock.json"), JSON.stringify(production));
    const args = ["sbom", "--sbom-format", "cyclonedx", "--sbom-type", "application", "--package-lock-only"];
    return execFileSync("npm", args, { cwd: project, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Locked {
  readonly dev?: true;
  readonly devOptional?: true;
  readonly devDependencies?: object;
}

function readJson(file: string) {
  return JSON.parse(readFileSync(join(ROOT, file), "utf8"));
}
