/** `cache` and `warm` of a service: which decisions are remembered, where, and for how long. */

import { join } from "node:path";
import { forgottenFolder } from "../cache/forgotten-folder.ts";
import { parseStoreUrl, type StoreUrl } from "../cache/open-store.ts";
import { ExpressionError } from "../expression/expression.ts";
import { createScope } from "../expression/scope.ts";
import { compileTemplate, type Template } from "../expression/template.ts";
import { runsAsRoot } from "../files/hands.ts";
import type { LoadedMapping } from "../mapping/load.ts";
import { isReplyCode, VERBS } from "../model/action.ts";
import type { Path } from "../source/position.ts";
import { fileProblem } from "../source/trusted.ts";
import { suggestion } from "../text/nearest.ts";
import { readAction } from "./action.ts";
import type { CacheConfig } from "./config.ts";
import { readSecret } from "./credentials.ts";
import type { Masker } from "./masker.ts";
import { NOT_PROVOKED } from "./on-failure.ts";
import type { Report } from "./report.ts";
import type { RawService } from "./schema.ts";
import { stateFolder } from "./state-folder.ts";

/** Attributes that are another with every message, or nearly so: nothing would ever be found again. */
const EVER_NEW = ["instance", "queue_id", "client_port", "attributes", "size"];
/** Attributes by which a service tells one who asks from another, and the one that is only a claim. */
const WHO_ASKS = [
  "sasl_username",
  "client_address",
  "ccert_subject",
  "ccert_issuer",
  "ccert_fingerprint",
  "ccert_pubkey_fingerprint",
  "attributes",
];
const CLAIM = "sender";
/** How many times its `ttl` a reply may ask for where `max_ttl` does not say. */
const MAX_TTL_FACTOR = 10;
const CLASSES: ReadonlySet<string> = new Set(["permit", "deny"]);

/**
 * Undefined where the service remembers nothing.
 *
 * @param state the file of `control.state`
 */
export function readCache(
  service: string,
  raw: RawService["cache"],
  state: string | undefined,
  mapping: LoadedMapping | undefined,
  path: Path,
  report: Report,
  masker: Masker,
): CacheConfig | undefined {
  if (raw === undefined) return undefined;
  const store = readStore(raw.store, [...path, "store"], report, masker);
  const forgotten = store === undefined ? undefined : forgottenFolder(store, service, state);
  const key = raw.key === undefined ? null : readKey(raw.key, [...path, "key"], report);
  const names = key?.names ?? mapping?.names;
  const everNew = EVER_NEW.filter((name) => names?.has(name));
  if (everNew.length > 0) {
    const where = key === null ? "the call contains" : "cache.key contains";
    const message = `${where} ${everNew.join(", ")}, which changes with every message: nothing would be found again; take it out of the mapping, or say in cache.key what matters`;
    report.warn(key === null ? path : [...path, "key"], message, { key: true });
  }
  checkWhoAsks(key, mapping, [...path, "key"], report);
  if (raw.max_ttl !== undefined && raw.max_ttl < raw.ttl) {
    report.error(
      [...path, "max_ttl"],
      "max_ttl is shorter than ttl, which it bounds; make it longer, or ttl shorter",
    );
  }
  if (raw.ttl === 0 && raw.stale_if_error === 0 && !raw.max_ttl) {
    report.warn(path, "with ttl and stale_if_error both 0 nothing is ever remembered", { key: true });
  }
  const secret =
    raw.secret === undefined ? null : readSecret(raw.secret, [...path, "secret"], report, masker);
  if (store?.kind === "redis" && forgotten === undefined) {
    report.warn(
      [...path, "store"],
      "what is forgotten is kept in Redis alone, which may lose its last writes; name a file with control.state, beside which this host keeps it, too",
    );
  }
  if (store?.kind === "redis" && raw.secret === undefined) {
    report.warn(
      [...path, "store"],
      "whoever can write to this Redis can forge decisions; set cache.secret, which signs them",
    );
  }
  return {
    store: store ?? { kind: "memory" },
    ...(forgotten !== undefined && { forgotten }),
    ttl: raw.ttl,
    maxTtl: raw.max_ttl ?? MAX_TTL_FACTOR * raw.ttl,
    staleIfError: raw.stale_if_error,
    staleCauses: new Set([...NOT_PROVOKED, ...raw.stale_causes]),
    maxEntries: raw.max_entries,
    only: readOnly(raw.only, [...path, "only"], report),
    key,
    timeout: raw.timeout,
    secret,
    markStale: readMark(raw.mark_stale, [...path, "mark_stale"], report),
  };
}

function readStore(text: string, path: Path, report: Report, masker: Masker): StoreUrl | undefined {
  const place = text === "lmdb" ? `lmdb:${join(stateFolder(), "cache.lmdb")}` : text;
  const store = parseStoreUrl(place, (file) => report.resolve(file));
  if ("problem" in store) {
    report.error(path, store.problem);
    return undefined;
  }
  if (store.kind === "redis") {
    for (const password of [store.password, store.sentinelPassword]) {
      if (password !== undefined) masker.add(password);
    }
    const problem = store.ca === undefined ? undefined : fileProblem(store.ca, runsAsRoot(), report.owner);
    if (problem !== undefined) report.error(path, problem);
  }
  return store;
}

function readKey(text: string, path: Path, report: Report): Template | null {
  try {
    return compileTemplate(text, createScope("request", []));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    report.error(path, error.message, { offset: error.offset });
    return null;
  }
}

/** A key in which nobody is named makes one sender's permit answer for all. */
function checkWhoAsks(
  key: Template | null,
  mapping: LoadedMapping | undefined,
  path: Path,
  report: Report,
): void {
  if (key === null || WHO_ASKS.some((name) => key.names.has(name))) return;
  // What a module asks by is not known.
  const asked = [...WHO_ASKS, CLAIM].filter((name) => mapping?.names?.has(name) ?? name !== "attributes");
  const missing = asked.filter((name) => !key.names.has(name));
  if (missing.length === 0) return;
  report.warn(
    path,
    `cache.key does not say who asks: what was answered to one would answer another, who differs in ${missing.join(", ")}; add what the service decides by`,
  );
}

function readOnly(raw: readonly string[], path: Path, report: Report): ReadonlySet<string> {
  for (const [index, word] of raw.entries()) {
    if (CLASSES.has(word) || VERBS.has(word) || isReplyCode(word)) continue;
    const hint =
      suggestion(word, [...CLASSES, ...VERBS]) || "; expected permit, deny, or a verb such as DEFER";
    report.error([...path, index], `"${word}" is no kind of decision${hint}`);
  }
  return new Set(raw);
}

function readMark(raw: string | undefined, path: Path, report: Report): string | null {
  if (raw === undefined) return null;
  const action = readAction(raw);
  if (!("problem" in action)) return action.action;
  report.error(path, action.problem);
  return null;
}
