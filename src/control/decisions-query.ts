/** The query of `GET /v1/decisions`: its parameters, each of them optional, as what is looked for. */
import { z } from "zod";
import { withoutHost } from "../explain/identify.ts";
import type { DecisionQuery } from "../explain/query.ts";

/** Decisions in one reply at most, and where nothing is said. */
const MOST = 200;
/** With how each came about. */
const MOST_WHOLE = 20;

const text = z.string().min(1).max(1000);
const querySchema = z.strictObject({
  reference: text.optional(),
  queue_id: text.optional(),
  sender: text.optional(),
  recipient: text.optional(),
  source: z.enum(["upstream", "cache", "stale", "route", "default"]).optional(),
  action: text.optional(),
  service: text.optional(),
  text: text.optional(),
  after: z.string().max(8192).optional(),
  limit: z.coerce.number().int().min(1).max(MOST).default(MOST),
  steps: z.stringbool({ truthy: ["true"], falsy: ["false"] }).optional(),
});

/** @param url of the request; a parameter that is given twice counts as it was first */
export function decisionsQuery(url: string): DecisionQuery | { readonly problem: string } {
  const parameters: Record<string, string> = Object.create(null);
  for (const [name, value] of new URL(url, "http://localhost").searchParams) parameters[name] ??= value;
  const parsed = querySchema.safeParse({ ...parameters });
  if (!parsed.success) return { problem: `the query does not fit: ${z.prettifyError(parsed.error)}` };
  const { reference, queue_id: queueId, limit, steps = reference !== undefined, ...rest } = parsed.data;
  const id = reference === undefined ? undefined : withoutHost(reference);
  if (id === null) {
    return {
      problem:
        "reference: expected a reference as mx1-1f3a9c2e, or a request_id or its first 8 digits at least",
    };
  }
  return { ...rest, id, queueId, limit: steps ? Math.min(limit, MOST_WHOLE) : limit, steps };
}
