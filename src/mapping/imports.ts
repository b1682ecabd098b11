/**
 * What a module imports, as far as its text says, and whether it is in others' hands: whoever can write one of these files
 * decides as much as who can write the module.
 *
 * The code is not run for it. Of what comes out of a node_modules folder, the package as a whole is looked at, and the
 * packages that it depends on. What is worked out while the code runs cannot be known: that is for the module's author.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { changeableByOthers, isClosedToOthers } from "../files/hands.ts";

/** `from "x"`, `import "x"`, `import("x")`, `require("x")`. A word more than there is does no harm. */
const IMPORTS =
  /\b(?:from|import|require)\b(?:\s|\(|\/\*[\s\S]*?\*\/|\/\/[^\n]*\n)*(["'`])((?:\\.|(?!\1)[^\\\n])+)\1/g;
/** Any text that reads like the name of a file beside the module, whatever is done with it. */
const RELATIVE = /(["'`])(\.{1,2}\/(?:\\.|(?!\1)[^\\\n])+)\1/g;
const PACKAGE = "package.json";
const PACKAGES = "node_modules";
/** Files of packages that are looked at; more is no mapping. */
const MOST_FILES = 50_000;
/** All else is code: `require` runs a file without an ending, or with one that it does not know, as a script. */
const NO_CODE = /\.(?:json|node|wasm)$/;

/**
 * Who besides root and `owner` could change what a module imports; undefined where nobody could.
 *
 * @param file a module that is itself in good hands
 */
export function importProblem(file: string, owner: number | undefined): string | undefined {
  try {
    return new Imports(owner).ofModule(file);
  } catch (error) {
    return `what ${file} imports cannot be looked at: ${(error as Error).message}`;
  }
}

class Imports {
  readonly #owner: number | undefined;
  readonly #seen = new Set<string>();
  #files = 0;

  constructor(owner: number | undefined) {
    this.#owner = owner;
  }

  ofModule(file: string): string | undefined {
    // Relative imports start from where links end.
    const real = realpathSync(file);
    if (this.#isSeen(real)) return undefined;
    const text = readFileSync(real, "utf8");
    for (const [, , specifier = ""] of [...text.matchAll(IMPORTS), ...text.matchAll(RELATIVE)]) {
      const problem = this.#ofSpecifier(specifier, dirname(real));
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #ofSpecifier(specifier: string, folder: string): string | undefined {
    if (specifier.startsWith("data:") || isBuiltin(specifier)) return undefined;
    if (/^(?:\.{0,2}\/|\.{1,2}$|file:)/.test(specifier)) {
      const path = specifier.startsWith("file:") ? fileURLToPath(specifier) : resolve(folder, specifier);
      return this.#ofFile(decoded(path.replace(/[?#].*$/, "")));
    }
    // The package's own names, `#x`, lead to its own files.
    if (specifier.startsWith("#")) {
      const described = nearest(folder, PACKAGE);
      return described === undefined ? undefined : this.#ofPackage(dirname(described));
    }
    return this.#ofName(packageName(specifier), folder);
  }

  /**
   * A package is looked for in each folder above; and a package.json there may say that it is the package itself. So where
   * it could stand, before the one that is found, others must not be able to put anything.
   */
  #ofName(name: string, folder: string): string | undefined {
    const place = join(PACKAGES, name);
    const found = nearest(folder, place);
    const described = nearest(folder, PACKAGE);
    const open = [
      ...foldersBelow(folder, found?.slice(0, -place.length)),
      ...foldersBelow(folder, described?.slice(0, -PACKAGE.length)),
    ].find((searched) => this.#isOpen(searched) || this.#isOpen(join(searched, PACKAGES)));
    if (open !== undefined) {
      return `others can put files into ${open}, where the package ${name} is looked for, so root does not use it; lay the module elsewhere, or a ${PACKAGE} and ${PACKAGES} beside it`;
    }
    const problem = described === undefined ? undefined : changeableByOthers(described, this.#owner);
    if (problem !== undefined) return problem;
    const isItself = described !== undefined && contentOf(described).name === name;
    return (
      (isItself ? this.#ofPackage(dirname(described)) : undefined) ??
      (found === undefined ? undefined : this.#ofPackage(found))
    );
  }

  #isOpen(folder: string): boolean {
    return existsSync(folder) && !isClosedToOthers(folder, this.#owner);
  }

  /** `require` finds files without their ending, and folders. */
  #ofFile(path: string): string | undefined {
    for (const there of [path, `${path}.js`, `${path}.cjs`, `${path}.mjs`, `${path}.json`, `${path}.node`]) {
      if (!existsSync(there)) continue;
      if (lstatSync(realpathSync(there)).isDirectory()) return this.#ofPackage(there);
      const problem =
        changeableByOthers(there, this.#owner) ?? (NO_CODE.test(there) ? undefined : this.ofModule(there));
      if (problem !== undefined) return problem;
    }
    if (existsSync(path)) return undefined;
    const place = nearestThere(path);
    return (
      changeableByOthers(place, this.#owner) ??
      (this.#isOpen(place)
        ? `others can put ${path} there, which is imported, so root does not use it; choose another folder`
        : undefined)
    );
  }

  #ofPackage(folder: string): string | undefined {
    const problem = changeableByOthers(folder, this.#owner);
    if (problem !== undefined) return problem;
    const real = realpathSync(folder);
    if (this.#isSeen(real)) return undefined;
    return this.#ofTree(real) ?? this.#ofDependencies(real);
  }

  #ofTree(folder: string): string | undefined {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (++this.#files > MOST_FILES) throw new Error(`there are more than ${MOST_FILES} files`);
      const path = join(folder, entry.name);
      if (entry.isSymbolicLink() && !existsSync(path)) continue;
      const problem =
        changeableByOthers(path, this.#owner) ?? (entry.isDirectory() ? this.#ofTree(path) : undefined);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #ofDependencies(folder: string): string | undefined {
    const file = join(folder, PACKAGE);
    if (!existsSync(file)) return undefined;
    const described = contentOf(file);
    const names = ["dependencies", "optionalDependencies", "peerDependencies"].flatMap((kind) =>
      Object.keys(described[kind] ?? {}),
    );
    for (const name of names) {
      const problem = this.#ofSpecifier(name, folder);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #isSeen(path: string): boolean {
    if (this.#seen.has(path)) return true;
    this.#seen.add(path);
    return false;
  }
}

function nearestThere(path: string): string {
  return existsSync(path) ? path : nearestThere(dirname(path));
}

/** What has this name in the folder, or else in the nearest one above. */
function nearest(folder: string, name: string): string | undefined {
  const found = join(folder, name);
  if (existsSync(found)) return found;
  return folder === dirname(folder) ? undefined : nearest(dirname(folder), name);
}

/** The folder and those above it, up to `end`, which is not among them; without it, all of them. */
function foldersBelow(folder: string, end: string | undefined): string[] {
  if (end !== undefined && folder === resolve(end)) return [];
  return folder === dirname(folder) ? [folder] : [folder, ...foldersBelow(dirname(folder), end)];
}

function contentOf(described: string): Readonly<Record<string, object | string | undefined>> {
  return JSON.parse(readFileSync(described, "utf8"));
}

/** `@scope/name/sub/path.js` is of `@scope/name`. */
function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Import specifiers are URLs. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
