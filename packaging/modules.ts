/**
 * The modules that the built command loads at run time: those that `build` in package.json leaves out of the bundle (`-e NAME`),
 * with all that they need. Everything else is in the bundle.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

export interface Module {
  readonly name: string;
  readonly version: string;
  /** Below the checkout: node_modules/lmdb. */
  readonly path: string;
  /** As its package.json says. */
  readonly license: string;
  readonly authors: string;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

/** Those loaded at run time. @throws Error where one is not installed */
export function loadedModules(root: string): Module[] {
  const { scripts = {} } = manifest(root);
  const named = [...(scripts.build ?? "").matchAll(/ -e (\S+)/g)].map(([, name = ""]) => name);
  return closure(root, named);
}

/** Those that the command is made of: loaded, or in the bundle. */
export function productionModules(root: string): Module[] {
  return closure(root, Object.keys(manifest(root).dependencies ?? {}));
}

function closure(root: string, named: readonly string[]): Module[] {
  const found = new Map<string, Module>();
  const add = (name: string, from: string, optional: boolean): void => {
    const folder = locate(root, name, from);
    if (folder === undefined) {
      if (optional) return;
      throw new Error(`${name} is not installed: npm ci`);
    }
    const path = relative(root, folder);
    if (found.has(path)) return;
    const { version, license = "", author, dependencies = {}, optionalDependencies = {} } = manifest(folder);
    const authors = typeof author === "string" ? author : (author?.name ?? "");
    found.set(path, { name, version, path, license, authors });
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies }))
      add(needed, folder, needed in optionalDependencies);
  };
  for (const name of named) add(name, root, false);
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** As Node looks for it: in node_modules of the module that wants it, then further up. */
function locate(root: string, name: string, from: string): string | undefined {
  for (let folder = from; folder.startsWith(root); folder = join(folder, "..")) {
    const place = join(folder, "node_modules", name);
    if (existsSync(join(place, "package.json"))) return place;
  }
  return undefined;
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

const LEGAL = /^(licen[cs]e|copying|copyright|notice)(\.\w+|-\w+)?$/i;

/** The texts of its licence files, those of libraries that it has compiled in included. */
export function legalTexts(root: string, { path }: Module): string[] {
  const folder = join(root, path);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && LEGAL.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !relative(folder, file).includes("node_modules/"))
    .sort()
    .map((file) => readFileSync(file, "utf8").trim());
}
