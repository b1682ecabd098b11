/**
 * What can be asked at the control endpoint: each path with its methods, from a request to a reply.
 *
 *     GET  /v1/status
 *     GET  /v1/decisions?reference=mx1-1f3a9c2e
 *     GET  /v1/decisions?sender=a@example.net&action=refused&limit=20&after=CURSOR
 *     POST /v1/offline   { "services": ["corp"], "for_ms": 7200000, "by": "alice" }
 *     POST /v1/online    { "services": ["corp"], "by": "alice" }
 *     POST /v1/reload    { "by": "alice" }
 *     POST /v1/forget    { "service": "corp", "attributes": { "sasl_username": "mallory" }, "by": "alice" }
 *     GET  /v1/cache     NDJSON
 *     POST /v1/cache     NDJSON
 *
 * A reload is answered when it is over: `{ "loaded": false, "at": …, "problems": [ … ] }` where it was refused.
 * Without `services` all are meant; without `for_ms` the switch holds until it is switched back. To forget everything,
 * of a service or of all, takes `all: true` in place of `attributes`: nobody does it by leaving something out. What was met
 * is in the reply, `{ "met": 3, "complete": true }`; with `"dry_run": true` it is only counted.
 */
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { failure, type Reply } from "../http/reply.ts";
import { readJson, readLines } from "./body.ts";
import type { Controls, Refusal } from "./controls.ts";
import { decisionsQuery } from "./decisions-query.ts";

type Handler = (request: IncomingMessage, controls: Controls) => Promise<Reply>;

/** As long as a duration of the configuration can be. */
const LONGEST = 24 * 24 * 3_600_000;

const name = z.string().min(1).max(200);
const by = z.string().min(1).max(200);
const services: z.ZodType<readonly string[] | undefined> = z.array(name).min(1).max(1000).optional();
const offlineSchema = z.strictObject({ services, for_ms: z.int().min(1).max(LONGEST).optional(), by });
const reloadSchema = z.strictObject({ by });
const onlineSchema = z.strictObject({ services, by });
/** No z.record: that passes over a member `__proto__`, and what was asked for less would be forgotten for more. */
const attributes = z.custom<Readonly<Record<string, string>>>(
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((text) => typeof text === "string" && text !== "" && text.length <= 10_000),
  "expected the names of attributes, each with a text that is not empty",
);
const forgetSchema = z
  .strictObject({
    service: name.optional(),
    attributes: attributes.optional(),
    all: z.literal(true).optional(),
    dry_run: z.boolean().default(false),
    by,
  })
  .refine(({ attributes, all }) => (all === undefined) === Object.keys(attributes ?? {}).length > 0, {
    path: ["attributes"],
    error: "expected attributes that say what to forget, or all: true for everything",
  });

const PATHS: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  "/v1/status": { GET: async (_, controls) => ok(await controls.status()) },
  "/v1/decisions": { GET: findDecisions },
  "/v1/offline": {
    POST: withBody(offlineSchema, ({ services, for_ms = null, by }, controls) =>
      controls.offline(services ?? "all", for_ms, by),
    ),
  },
  "/v1/online": {
    POST: withBody(onlineSchema, ({ services, by }, controls) => controls.online(services ?? "all", by)),
  },
  "/v1/reload": {
    POST: async (request, controls) => {
      // It takes as long as modules take to load, and has limits of its own.
      request.socket.setTimeout(0);
      return withBody(reloadSchema, ({ by }, controls) => controls.reload(by))(request, controls);
    },
  },
  "/v1/forget": {
    POST: withBody(forgetSchema, ({ service, attributes = {}, by, dry_run: dryRun }, controls) =>
      controls.forget(service, attributes, by, dryRun),
    ),
  },
  "/v1/cache": { GET: exportCache, POST: loadCache },
};

/** Answers one request. Whatever is wrong with it is in the reply. */
export async function answer(request: IncomingMessage, controls: Controls): Promise<Reply> {
  const path = request.url?.split("?")[0] ?? "";
  const methods = Object.hasOwn(PATHS, path) ? PATHS[path] : undefined;
  if (methods === undefined) {
    return failure(404, `there is no ${path}; there are ${Object.keys(PATHS).join(", ")}`);
  }
  const method = request.method ?? "";
  const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (handler === undefined) {
    const allow = Object.keys(methods).join(", ");
    return { ...failure(405, `${path} takes ${allow}`), headers: { allow } };
  }
  return handler(request, controls);
}

function ok(json: object): Reply {
  return { status: 200, json };
}

async function findDecisions({ url = "" }: IncomingMessage, controls: Controls): Promise<Reply> {
  const query = decisionsQuery(url);
  return "problem" in query ? failure(400, query.problem) : ok(await controls.decisions(query));
}

function withBody<T>(
  schema: z.ZodType<T>,
  act: (body: T, controls: Controls) => Promise<object | Refusal>,
): Handler {
  return async (request, controls) => {
    const body = await readJson(request);
    if ("problem" in body) return failure(400, body.problem);
    const parsed = schema.safeParse(body.value);
    if (!parsed.success) return failure(400, `the body does not fit: ${z.prettifyError(parsed.error)}`);
    const result = await act(parsed.data, controls);
    return "problem" in result ? failure(409, String(result.problem)) : ok(result);
  };
}

async function exportCache(_: IncomingMessage, controls: Controls): Promise<Reply> {
  const lines = controls.exportCache();
  return "problem" in lines ? failure(409, lines.problem) : { status: 200, lines };
}

async function loadCache(request: IncomingMessage, controls: Controls): Promise<Reply> {
  let tooLong = 0;
  const counts = await controls.loadCache(readLines(request, () => tooLong++));
  if ("problem" in counts) return failure(409, counts.problem);
  if (tooLong === 0) return ok(counts);
  const reasons = { ...counts.reasons, "the line is too long": tooLong };
  return ok({ ...counts, refused: counts.refused + tooLong, reasons });
}
