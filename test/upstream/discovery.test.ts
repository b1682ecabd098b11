/** `discover: authzen`, with the bridge around it: where questions go, what happens while that is not known. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { OfflineSwitch } from "../../src/bridge/offline.ts";
import { open } from "../decision/bridge.ts";
import { type Answering, AuthorizationService, type Call } from "../support/service.ts";

const WELL_KNOWN = "/.well-known/authzen-configuration";
const PERMIT = "DUNNO";
const DEFERRED = "DEFER 4.3.0";

interface Options {
  readonly service?: object;
  readonly path?: string;
  readonly offline?: boolean;
}

/** A decision point that permits at `/ask` and `/ask/many`, with a document as `answering` gives it. */
async function discovering(
  answering: (url: string, call: Call) => ReturnType<Answering>,
  options: Options = {},
) {
  const pdp = await AuthorizationService.start((call) => {
    if (call.url === "/ask") return { body: { decision: true } };
    if (call.url === "/ask/many") {
      const { evaluations } = call.json as { evaluations: unknown[] };
      return { body: { evaluations: evaluations.map(() => ({ decision: true })) } };
    }
    if (call.method === "GET") return answering(pdp.url, call);
    return { status: 404 };
  });
  onTestFinished(() => pdp.stop());
  const corp = {
    url: pdp.url + (options.path ?? ""),
    mapping: "authzen",
    discover: "authzen",
    retry: { attempts: 1 },
    on_failure: { default: DEFERRED },
    ...options.service,
  };
  const { ask, lines } = await open(
    { services: { corp } },
    {},
    { offline: new OfflineSwitch(options.offline ?? false) },
  );
  const urls = () => pdp.calls.map(({ url }) => url);
  return { pdp, ask, lines, urls, decisions: () => lines.filter(({ msg }) => msg === "decision") };
}

const document = (url: string, more: object = {}) => ({
  body: {
    policy_decision_point: url,
    access_evaluation_endpoint: `${url}/ask`,
    access_evaluations_endpoint: `${url}/ask/many`,
    ...more,
  },
});

describe("a service that says where it is asked", () => {
  it("is shown a key in the query for its document, too", async () => {
    const auth = { api_key: { query: "key", key: "k&y-that-is-secret" } };
    const pdp = await AuthorizationService.start(({ url }) => {
      if (!url.endsWith("?key=k%26y-that-is-secret")) return { status: 401 };
      return url.startsWith("/ask") ? { body: { decision: true } } : document(pdp.url);
    });
    onTestFinished(() => pdp.stop());
    const corp = { url: pdp.url, mapping: "authzen", discover: "authzen", auth };
    const { ask } = await open({ services: { corp } });
    expect(await ask()).toBe(PERMIT);
    expect(pdp.calls.map(({ url }) => url.split("?")[0])).toEqual([WELL_KNOWN, "/ask"]);
  });

  it("is asked there, and its document is read once", async () => {
    const { ask, urls, lines } = await discovering((url) => document(url));
    expect(await Promise.all([ask(), ask({ sender: "b@example.net" })])).toEqual([PERMIT, PERMIT]);
    expect(await ask()).toBe(PERMIT);
    expect(urls()).toEqual([WELL_KNOWN, "/ask", "/ask", "/ask"]);
    expect(lines[0]).toMatchObject({
      level: "info",
      msg: "the service says where it is asked",
      detail: expect.stringMatching(
        /questions go to http.*\/ask, batches to http.*\/ask\/many, as http.*authzen-configuration says/,
      ),
    });
  });

  it("is told credentials and fixed headers on its own origin", async () => {
    const { ask, pdp } = await discovering((url) => document(url), {
      service: { auth: { bearer: "s3cret-token" }, headers: { "x-tenant": "mail" } },
    });
    expect(await ask()).toBe(PERMIT);
    expect(pdp.calls[0]).toMatchObject({
      method: "GET",
      headers: {
        authorization: "Bearer s3cret-token",
        "x-tenant": "mail",
        "x-request-id": expect.any(String),
      },
    });
  });

  it("tells credentials nobody else, though its document is there", async () => {
    const elsewhere = await AuthorizationService.start(() => document(pdp.url));
    onTestFinished(() => elsewhere.stop());
    const { ask, pdp, urls } = await discovering(() => ({ status: 500 }), {
      service: {
        auth: { bearer: "s3cret-token" },
        headers: { "x-tenant": "mail" },
        discover: { authzen: `${elsewhere.url}/corp.json` },
      },
    });
    expect(await ask()).toBe(PERMIT);
    expect(urls()).toEqual(["/ask"]);
    expect(elsewhere.calls).toHaveLength(1);
    expect(elsewhere.calls[0]?.url).toBe("/corp.json");
    expect(elsewhere.calls[0]?.headers).not.toHaveProperty("authorization");
    expect(elsewhere.calls[0]?.headers).not.toHaveProperty("x-tenant");
  });

  it("gets batches where it takes them, and single calls where it takes none", async () => {
    const batch = { batch: { max: 2, wait: "1s" } };
    const taking = await discovering((url) => document(url), { service: batch });
    await taking.ask();
    await Promise.all([taking.ask(), taking.ask({ sender: "b@example.net" })]);
    expect(taking.urls()).toEqual([WELL_KNOWN, "/ask", "/ask/many"]);

    const refusing = await discovering((url) => document(url, { access_evaluations_endpoint: undefined }), {
      service: batch,
    });
    await refusing.ask();
    await Promise.all([refusing.ask(), refusing.ask({ sender: "b@example.net" })]);
    expect(refusing.urls()).toEqual([WELL_KNOWN, "/ask", "/ask", "/ask"]);
  });

  it("is asked at the default paths while it publishes nothing", async () => {
    const { ask, urls } = await discovering(() => ({ status: 404 }), { path: "/tenant1" });
    await ask();
    expect(urls()).toEqual([`${WELL_KNOWN}/tenant1`, "/tenant1/access/v1/evaluation"]);
  });

  it("is not called while it is offline", async () => {
    const { ask, urls } = await discovering((url) => document(url), { offline: true });
    expect(await ask()).toBe(DEFERRED);
    expect(urls()).toEqual([]);
  });
});

describe("while the document cannot be had", () => {
  it("a call fails for its reason, at once until the pause is over, and succeeds when it is there", async () => {
    let well = false;
    const { ask, urls, decisions, lines } = await discovering(
      (url) => (well ? document(url) : { status: 503 }),
      { service: { breaker: { minimum_calls: 1000 } } },
    );
    expect(await ask()).toBe(DEFERRED);
    expect(await ask()).toBe(DEFERRED);
    expect(urls()).toEqual([WELL_KNOWN]);
    expect(decisions()[0]).toMatchObject({
      cause: "http_5xx",
      detail: expect.stringMatching(/^discovery at http.*: HTTP status 503 in place of a document/),
    });
    expect(lines[0]).toMatchObject({ level: "warn", msg: "where the service is asked cannot be discovered" });
    well = true;
    await expect.poll(() => ask(), { timeout: 5000 }).toBe(PERMIT);
    expect(urls()).toEqual([WELL_KNOWN, WELL_KNOWN, "/ask"]);
  });

  it("a call waits for it no longer than its deadline, and the next ones for the same document", async () => {
    const { ask, urls, decisions } = await discovering(() => new Promise(() => {}), {
      service: { timeout: "5s", deadline: "200ms" },
    });
    expect(await Promise.all([ask(), ask({ sender: "b@example.net" })])).toEqual([DEFERRED, DEFERRED]);
    expect(urls()).toEqual([WELL_KNOWN]);
    expect(decisions()[0]).toMatchObject({ cause: "timeout", detail: expect.stringContaining("discover") });
  });

  it.each([
    ["too large", (url: string) => document(url, { padding: "x".repeat(70_000) }), "bad_reply"],
    ["another's", () => document("http://127.0.0.1:1"), "bad_reply"],
    ["forbidden", () => ({ status: 403 }), "http_4xx"],
    ["a redirect", (url: string) => ({ status: 301, headers: { location: `${url}/ask` } }), "bad_reply"],
  ])("since it is %s, nothing is asked", async (_name, answering, cause) => {
    const { ask, urls, decisions } = await discovering(answering);
    expect(await ask()).toBe(DEFERRED);
    expect(urls()).toEqual([WELL_KNOWN]);
    expect(decisions()).toMatchObject([{ cause }]);
  });

  it("the next URL is asked", async () => {
    const dead = await AuthorizationService.start(() => ({ status: 503 }));
    onTestFinished(() => dead.stop());
    const alive = await AuthorizationService.start(({ url }) =>
      url === WELL_KNOWN ? document(alive.url) : { body: { decision: true } },
    );
    onTestFinished(() => alive.stop());
    const corp = { url: [dead.url, alive.url], discover: "authzen", retry: { attempts: 2, backoff: "1ms" } };
    const { ask } = await open({ services: { corp } });
    expect(await ask()).toBe(PERMIT);
  });

  it("the next URL is asked without an attempt for the one that is left alone", async () => {
    const dead = await AuthorizationService.start(() => ({ status: 503 }));
    onTestFinished(() => dead.stop());
    const alive = await AuthorizationService.start(({ url }) =>
      url === WELL_KNOWN ? document(alive.url) : { body: { decision: true } },
    );
    onTestFinished(() => alive.stop());
    const corp = {
      url: [dead.url, alive.url],
      discover: "authzen",
      retry: { attempts: 1 },
      on_failure: { default: DEFERRED },
    };
    const { ask } = await open({ services: { corp } });
    expect(await ask()).toBe(DEFERRED);
    expect(await ask()).toBe(PERMIT);
    expect(dead.calls).toHaveLength(1);
  });

  it("its circuit opens by the calls that waited for it", async () => {
    const { ask, decisions } = await discovering(() => ({ status: 503 }), {
      service: { breaker: { minimum_calls: 3 } },
    });
    await Promise.all([1, 2, 3, 4, 5].map((n) => ask({ sender: `${n}@example.net` })));
    await ask();
    expect(decisions().at(-1)).toMatchObject({ cause: "circuit_open" });
  });

  it("one failure told again and again opens no circuit, so that calls succeed when the pause is over", async () => {
    let well = false;
    const { ask, decisions, urls } = await discovering((url) => (well ? document(url) : { status: 503 }), {
      service: { breaker: { minimum_calls: 3, open_for: "1m" } },
    });
    for (let n = 0; n < 20; n++) expect(await ask()).toBe(DEFERRED);
    expect(urls()).toEqual([WELL_KNOWN]);
    expect(decisions().every(({ cause }) => cause === "http_5xx")).toBe(true);
    well = true;
    await expect.poll(() => ask(), { timeout: 5000 }).toBe(PERMIT);
  });

  it("a circuit's trial reads it, though the pause is not over", async () => {
    let well = false;
    const { ask, decisions } = await discovering((url) => (well ? document(url) : { status: 503 }), {
      service: { breaker: { minimum_calls: 3, open_for: "200ms" } },
    });
    await Promise.all([1, 2, 3].map((n) => ask({ sender: `${n}@example.net` })));
    await ask();
    expect(decisions().at(-1)).toMatchObject({ cause: "circuit_open" });
    well = true;
    const began = performance.now();
    await expect.poll(() => ask(), { timeout: 5000, interval: 20 }).toBe(PERMIT);
    // The pause after a first failure is a second.
    expect(performance.now() - began).toBeLessThan(900);
  });
});

describe("a document that has aged", () => {
  /** Moves the clock that ages go by. */
  const later = (milliseconds: number) => {
    const now = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => now() + milliseconds);
    onTestFinished(() => void vi.restoreAllMocks());
  };

  it("is read again beside the calls, and what it says then holds", async () => {
    let path = "/old";
    const { ask, urls } = await discovering((url) =>
      document(url, { access_evaluation_endpoint: `${url}${path}` }),
    );
    await ask();
    path = "/ask";
    later(3600_000);
    await ask();
    await expect.poll(() => ask()).toBe(PERMIT);
    expect(urls().filter((url) => url === WELL_KNOWN)).toHaveLength(2);
    expect(urls().at(-1)).toBe("/ask");
  });

  it("stays in use when it cannot be read again", async () => {
    let well = true;
    const { ask, urls, lines } = await discovering((url) => (well ? document(url) : { status: 500 }));
    expect(await ask()).toBe(PERMIT);
    well = false;
    later(3600_000);
    expect(await ask()).toBe(PERMIT);
    await expect
      .poll(() => lines.filter(({ level }) => level === "warn"))
      .toMatchObject([{ detail: expect.stringContaining("HTTP status 500") }]);
    expect(await ask()).toBe(PERMIT);
    expect(urls().filter((url) => url === WELL_KNOWN)).toHaveLength(2);
  });
});
