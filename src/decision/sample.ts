/**
 * Which decisions have a line in the log, where some have not (`log.sample`).
 *
 * A part of 0.1 leaves one of ten, by the message's `instance`: of the recipients of a message all have their lines, or none
 * has. What went wrong is never left out by its verb: a decision that comes from `on_failure` or past its ttl, or that has a cause, only where
 * its source is named.
 */
import { verbOf } from "../model/action.ts";
import type { Decision } from "../model/decision.ts";
import type { PolicyRequest } from "../model/request.ts";

/** Parts from 0 to 1, by verb, reply code or source. */
export type Sample = ReadonlyMap<string, number>;

const ALL = 1;

/** The part of its like that a decision is logged for; 0 where it is not logged. */
export function sampled(sample: Sample, request: PolicyRequest, decision: Decision): number {
  const part = partOf(sample, decision);
  return part >= ALL || placeOf(request) < part ? part : 0;
}

function partOf(sample: Sample, { action, source, cause }: Decision): number {
  const ofSource = sample.get(source) ?? ALL;
  const wentWrong = source === "default" || source === "stale" || cause !== undefined;
  if (wentWrong || action === null) return ofSource;
  return Math.min(ofSource, sample.get(verbOf(action)) ?? ALL);
}

/** Where a message stands between 0 and 1: anywhere, and always in the same place. */
function placeOf({ attributes, id }: PolicyRequest): number {
  const text = attributes.get("instance") || id;
  // FNV-1a, and the end of MurmurHash3, since instances differ in a few digits alone.
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
