/**
 * A secret that is kept in a file, and read again when the file changes: written over, or another put in its place, as
 * with tokens that are mounted into a container, where a link is turned to a new folder.
 */
import { statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { runsAsRoot } from "../files/hands.ts";
import { signatureOf } from "../files/signature.ts";
import { givenContent } from "../source/contents.ts";
import { readTrusted } from "../source/trusted.ts";
import type { Masker } from "./masker.ts";
import { Secret } from "./secret.ts";

const MAX_SECRET_SIZE = 64 * 1024;
const UNKNOWN = "";

/** What the secret of a file must be like. */
export interface SecretUse {
  /** The user besides root whose the file may be. */
  readonly owner: number | undefined;
  /** What is wrong with a value; undefined where it can be used. */
  readonly problemOf: (value: string) => string | undefined;
  readonly masker: Masker;
}

interface Unusable {
  readonly problem: string;
  /** It is what stands in the file that cannot be used. */
  readonly isOfValue?: true;
}

export class SecretFile extends Secret {
  readonly path: string;
  readonly #use: SecretUse;
  /** The signature of what is in use, or was found to be of no use. */
  #seen: string;

  private constructor(value: string, path: string, seen: string, use: SecretUse) {
    super(value);
    this.path = path;
    this.#seen = seen;
    this.#use = use;
  }

  /** Its last line end is no part of it. */
  static read(path: string, use: SecretUse): SecretFile | Unusable {
    // Another process may have read it, some time ago.
    const seen =
      givenContent(path) === undefined ? signatureOf(statSync(path, { throwIfNoEntry: false })) : UNKNOWN;
    const value = readValue(path, use);
    return typeof value === "string" ? new SecretFile(value, path, seen, use) : value;
  }

  /**
   * Reads it again if the file has changed.
   *
   * @returns whether the value is another now; a problem, once for each change, where the file cannot be used: what was
   *   read before stays in use
   */
  async look(): Promise<boolean | { readonly problem: string }> {
    const seen = signatureOf(await stat(this.path).catch(() => undefined));
    if (seen === this.#seen) return false;
    const isFirst = this.#seen === UNKNOWN;
    this.#seen = seen;
    const value = readValue(this.path, this.#use);
    // What only root can read was read before root's rights were given up.
    if (typeof value !== "string") return isFirst ? false : value;
    if (value === this.reveal()) return false;
    this.replace(value);
    return true;
  }
}

function readValue(path: string, { owner, problemOf, masker }: SecretUse): string | Unusable {
  const content = readTrusted(path, MAX_SECRET_SIZE, runsAsRoot(), owner);
  if ("problem" in content) return content;
  const value = content.text.replace(/\r?\n$/, "");
  masker.add(value);
  const problem = problemOf(value);
  return problem === undefined ? value : { problem, isOfValue: true };
}
