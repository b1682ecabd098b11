/**
 * What can be asked at the admin endpoint: each path, from a request to a reply. All of it only looks.
 *
 *     GET /healthz    the process is alive
 *     GET /readyz     it answers Postfix; how its services are doing is told, and does not count: a bridge whose service is
 *                     down still answers
 *     GET /metrics    for Prometheus, in its text format or OpenMetrics
 *     GET /status     JSON, as `pfxbridge status --json`
 *
 * The first two answer whoever asks, so that a probe needs no password; a stranger gets no more than yes or no.
 */
import type { IncomingMessage } from "node:http";
import { failure, type Reply } from "../http/reply.ts";
import { pathOf } from "../http/server.ts";
import { exposition, formatFor } from "../telemetry/exposition.ts";
import type { Seen } from "./seen.ts";
import { SharedAnswer } from "./shared-answer.ts";

type Page = (request: IncomingMessage, isKnown: boolean) => Promise<Reply>;

/** Paths that answer whoever asks. */
export const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

const METHODS: ReadonlySet<string | undefined> = new Set(["GET", "HEAD"]);

export class Pages {
  readonly #seen: Seen;
  readonly #status: SharedAnswer<Awaited<ReturnType<Seen["status"]>>>;
  readonly #figures: SharedAnswer<Awaited<ReturnType<Seen["figures"]>>>;
  readonly #pages: Readonly<Record<string, Page>>;

  constructor(seen: Seen) {
    this.#seen = seen;
    this.#status = new SharedAnswer("the status", seen.status);
    this.#figures = new SharedAnswer("putting the metrics together", seen.figures);
    this.#pages = {
      "/healthz": async () => text(200, "ok\n"),
      "/readyz": (_, isKnown) => this.#ready(isKnown),
      "/metrics": ({ headers }) => this.#metrics(headers.accept),
      "/status": async () => ({ status: 200, json: await this.#status.get() }),
    };
  }

  /**
   * Answers one request. Whatever is wrong with it is in the reply.
   *
   * @param isKnown whether who asks has shown what must be shown
   */
  async answer(request: IncomingMessage, isKnown: boolean): Promise<Reply> {
    const path = pathOf(request);
    const page = Object.hasOwn(this.#pages, path) ? this.#pages[path] : undefined;
    if (page === undefined) {
      return failure(404, `there is no ${path}; there are ${Object.keys(this.#pages).join(", ")}`);
    }
    if (!METHODS.has(request.method)) {
      return { ...failure(405, `${path} takes GET`), headers: { allow: "GET, HEAD" } };
    }
    return page(request, isKnown);
  }

  async #ready(isKnown: boolean): Promise<Reply> {
    const missing = this.#seen.notReady();
    if (missing !== undefined) return { status: 503, json: { ready: false, ...(isKnown && { missing }) } };
    if (!isKnown) return { status: 200, json: { ready: true } };
    // It answers Postfix, whatever a store that is to count its entries does.
    const status = await this.#status.get().catch(() => undefined);
    if (status === undefined) return { status: 200, json: { ready: true } };
    const { services, listeners, workers } = status;
    return {
      status: 200,
      json: {
        ready: true,
        listeners: listeners.map(({ endpoint }) => endpoint),
        services: services.map(({ name, mode, trouble }) => ({ name, mode, trouble })),
        ...(workers !== undefined && {
          workers: workers.length,
          answering: workers.filter(({ answers }) => answers).length,
        }),
      },
    };
  }

  async #metrics(accept: string | undefined): Promise<Reply> {
    const written = await exposition(await this.#figures.get(), formatFor(accept));
    return { status: 200, ...written };
  }
}

function text(status: number, body: string): Reply {
  return { status, text: body, type: "text/plain; charset=utf-8" };
}
