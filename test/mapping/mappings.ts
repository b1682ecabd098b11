/** Mappings for tests: written to a folder of their own, loaded as the configuration would. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { type LoadedMapping, loadMapping } from "../../src/mapping/load.ts";
import type { Mapping } from "../../src/mapping/mapping.ts";
import { type PolicyRequest, policyRequest } from "../../src/model/request.ts";
import { ProblemError } from "../../src/source/problem.ts";

const folder = mkdtempSync(join(tmpdir(), "pfxbridge-mapping-"));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with this content; its name is new. */
export function fileOf(content: string, extension = ".yaml"): string {
  const file = join(folder, `mapping-${++files}${extension}`);
  writeFileSync(file, content, { mode: 0o644 });
  return file;
}

export function load(content: string, parameters: Record<string, unknown> = {}): Promise<LoadedMapping> {
  return loadMapping({ name: "test", file: fileOf(content), parameters });
}

/** What is wrong with a mapping, as `line:column message`. */
export async function problemsOf(
  content: string,
  parameters: Record<string, unknown> = {},
): Promise<string[]> {
  try {
    await load(content, parameters);
    return [];
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return error.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
}

/** A mapping with these rules, in YAML's flow or block style, below `response:`. */
export async function withRules(rules: string, allow: readonly string[] = []): Promise<Mapping> {
  const indented = rules.trim().replaceAll("\n", "\n  ");
  const loaded = await load(`request: {}\nallow: [${allow.join(", ")}]\nresponse:\n  ${indented}\n`);
  return loaded.instantiate();
}

/** A request with these attributes, in which everything else is fixed. */
export function requestOf(attributes: Record<string, string> = {}): PolicyRequest {
  return policyRequest(new Map(Object.entries(attributes)), {
    id: "11111111-2222-4333-8444-555555555555",
    time: Date.UTC(2026, 0, 1),
    listener: "test",
    recipients: [],
  });
}
