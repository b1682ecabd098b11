/**
 * The configuration file, read: its text in the shape that is asked for, and whether root may use it at all.
 *
 * It may be root's, or that of the user whom it names itself and root's rights are given up for.
 */
import { resolve } from "node:path";
import type { z } from "zod";
import { runsAsRoot } from "../files/hands.ts";
import { systemUser } from "../postfix/accounts.ts";
import { readYaml, type YamlDocument } from "../source/document.ts";
import { unusable } from "../source/problem.ts";
import { checkShape } from "../source/shape.ts";
import { fileProblem, readTrusted } from "../source/trusted.ts";
import { withDefaults } from "./defaults.ts";

/** In bytes. */
const MAX_FILE_SIZE = 1024 * 1024;

export interface ConfigSource<T> {
  readonly document: YamlDocument;
  readonly raw: T;
  /** The number of the user that root will become; undefined for others than root, and where none is named. */
  readonly owner: number | undefined;
}

/** @throws ProblemError */
export function readConfigFile<T extends { readonly user?: string | undefined }>(
  file: string,
  schema: z.ZodType<T>,
): ConfigSource<T> {
  const path = resolve(file);
  const content = readTrusted(path, MAX_FILE_SIZE, false);
  if ("problem" in content) throw unusable(path, content.problem);
  const doubt = runsAsRoot() ? fileProblem(path) : undefined;
  if (doubt === undefined) return readConfigText(path, content.text, schema);
  let source: ConfigSource<T> | undefined;
  try {
    source = readConfigText(path, content.text, schema);
  } catch {
    // What is wrong in a file that is not to be used is nobody's business.
  }
  if (source?.owner === undefined) throw unusable(path, doubt);
  const problem = fileProblem(path, true, source.owner);
  if (problem !== undefined) throw unusable(path, problem);
  return source;
}

/** @throws ProblemError */
export function readConfigText<T extends { readonly user?: string | undefined }>(
  file: string,
  text: string,
  schema: z.ZodType<T>,
): ConfigSource<T> {
  const document = withDefaults(readYaml(file, text));
  const raw = checkShape(document, schema);
  const owner = runsAsRoot() && raw.user !== undefined ? systemUser(raw.user)?.uid : undefined;
  return { document, raw, owner };
}
