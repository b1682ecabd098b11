import { describe, expect, it } from "vitest";
import type { UpstreamReply, UpstreamRequest } from "../../src/model/exchange.ts";
import type { Failure } from "../../src/model/failure.ts";
import { Deadline } from "../../src/time/deadline.ts";
import { type Asker, SEVERAL } from "../../src/upstream/asker.ts";
import { Batcher } from "../../src/upstream/authzen-batch.ts";
import type { CallResult, Interpret } from "../../src/upstream/call.ts";
import { type Answer, caller, httpService, permitted } from "./harness.ts";

type Reply = { status?: number; body: string };
type Evaluation = ReturnType<typeof sent>;
type Asked = { path: string; body: string; id: string | undefined; ids?: string };

/** A service that says of each evaluation whose it was; `batch` may answer whole batches otherwise. */
async function service(batch?: (subjects: string[]) => Reply) {
  const asked: Asked[] = [];
  const url = await httpService((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      const path = request.url ?? "";
      const [id, ids] = ["x-request-id", "x-request-ids"].map((name) => request.headers[name] as string);
      asked.push({ path, body, id, ...(ids !== undefined && { ids }) });
      const own = ({ subject }: Evaluation) => ({ decision: true, context: { subject: subject.id } });
      const parsed = JSON.parse(body);
      const reply: Reply = path.endsWith("s")
        ? (batch?.(parsed.evaluations.map(({ subject }: Evaluation) => subject.id)) ?? {
            body: JSON.stringify({ evaluations: parsed.evaluations.map(own) }),
          })
        : { body: JSON.stringify(own(parsed)) };
      response.writeHead(reply.status ?? 200, { "content-type": "application/json" }).end(reply.body);
    });
  });
  const refusals: string[] = [];
  const { upstream } = caller(url);
  const options = { max: 3, wait: 20, onRefused: (detail: string) => refusals.push(detail) };
  const batcher = new Batcher(upstream, options);
  const ask = (
    subject: string,
    change: Partial<UpstreamRequest> = {},
    deadline = 3000,
    interpret: Interpret<Answer> = permitted,
  ) =>
    batcher.call({
      request: { ...evaluation(subject), ...change },
      id: `id-${subject}`,
      deadline: new Deadline(deadline),
      interpret,
    });
  return { asked, refusals, ask };
}

const sent = (subject: string, resource = "r") => ({
  subject: { type: "user", id: subject },
  resource: { type: "mailbox", id: resource },
});

const evaluation = (subject: string): UpstreamRequest => ({
  method: "POST",
  path: "/access/v1/evaluation",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(sent(subject)),
});

/** Whose evaluation each of the results is. */
async function subjects(results: Promise<CallResult<{ body: string } | Failure>>[]): Promise<string[]> {
  return (await Promise.all(results)).map(({ answer }) =>
    "cause" in answer ? answer.cause : JSON.parse(answer.body).context.subject,
  );
}

describe("evaluations that wait at the same moment", () => {
  it("go out as one, and each gets its own decision", async () => {
    const { asked, ask } = await service();
    const results = [ask("a"), ask("b")];
    expect(await subjects(results)).toEqual(["a", "b"]);
    expect(asked).toEqual([
      {
        path: "/access/v1/evaluations",
        body: JSON.stringify({
          evaluations: [sent("a"), sent("b")],
          options: { evaluations_semantic: "execute_all" },
        }),
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        ids: "id-a, id-b",
      },
    ]);
    const batch = { attempts: 1, batchId: asked[0]?.id };
    expect(await Promise.all(results)).toEqual([
      expect.objectContaining(batch),
      expect.objectContaining(batch),
    ]);
  });

  it("do not wait for more when they are as many as allowed", async () => {
    const { asked, ask } = await service();
    expect(await subjects(["a", "b", "c", "d"].map((name) => ask(name)))).toEqual(["a", "b", "c", "d"]);
    expect(asked.map(({ path, body }) => [path, JSON.parse(body).evaluations?.length])).toEqual([
      ["/access/v1/evaluations", 3],
      ["/access/v1/evaluation", undefined],
    ]);
  });

  it.each<[string, object, boolean]>([
    ["with the same properties go together", { type: "user", id: "a", properties: { ip: "1" } }, true],
    ["with other properties go apart", { type: "user", id: "a", properties: { ip: "2" } }, false],
    ["of another type go together", { type: "group", id: "a", properties: { ip: "2" } }, true],
  ])("of one subject %s: services look an entity up by its id", async (_, subject, together) => {
    const { asked, ask } = await service();
    const first = { ...sent("a"), subject: { type: "user", id: "a", properties: { ip: "1" } } };
    const second = { ...sent("a", "r2"), subject };
    await Promise.all([first, second].map((body) => ask("x", { body: JSON.stringify(body) })));
    expect(asked.filter(({ path }) => path.endsWith("s"))).toHaveLength(together ? 1 : 0);
  });

  it("of one resource with other properties go apart", async () => {
    const { asked, ask } = await service();
    const bodies = [1, 2].map((n) => ({
      subject: { type: "user", id: `u${n}` },
      resource: { type: "mailbox", id: "r", properties: { n } },
    }));
    await Promise.all(bodies.map((body) => ask("x", { body: JSON.stringify(body) })));
    expect(asked.map(({ path }) => path)).toEqual(["/access/v1/evaluation", "/access/v1/evaluation"]);
  });

  it("are asked one by one where they differ in more than their body", async () => {
    const { asked, ask } = await service();
    await subjects([
      ask("a"),
      ask("b", { headers: { "content-type": "application/json", "x-tenant": "t" } }),
    ]);
    expect(asked.map(({ path }) => path)).toEqual(["/access/v1/evaluation", "/access/v1/evaluation"]);
  });

  it.each<[string, Partial<UpstreamRequest>]>([
    ["another path", { path: "/v1/check" }],
    ["another method", { method: "PUT" }],
    ["another content type", { headers: { "content-type": "text/plain" } }],
  ])("are those of AuthZEN only, not a call with %s", async (_, change) => {
    const { asked, ask } = await service();
    await Promise.all([ask("a", change), ask("b", change)]);
    expect(asked).toHaveLength(2);
  });
});

describe("a batch's evaluations", () => {
  it("have their numbers to the last digit", async () => {
    const numbers = ["9007199254740993", "-9223372036854775808", "1.5"];
    const url = await httpService((_request, response) => {
      const evaluations = numbers.map((n) => `{"decision":true,"context":{"n":${n}}}`);
      response.writeHead(200, { "content-type": "application/json" }).end(`{"evaluations":[${evaluations}]}`);
    });
    const { upstream } = caller(url);
    const batcher = new Batcher(upstream, { max: 10, wait: 5, onRefused: () => {} });
    const results = await Promise.all(
      ["a", "b", "c"].map((name) =>
        batcher.call({
          request: evaluation(name),
          id: "id",
          deadline: new Deadline(1000),
          interpret: ({ body }) => ({ text: body.toString() }),
        }),
      ),
    );
    expect(results.map(({ answer }) => answer)).toEqual(
      numbers.map((n) => ({ text: `{"decision":true,"context":{"n":${n}}}` })),
    );
  });
});

describe("a batch that fails", () => {
  it.each<[string, Reply]>([
    ["is not known to the service", { status: 404, body: "not found" }],
    ["has fewer evaluations than calls", { body: '{"evaluations":[{"decision":true}]}' }],
    ["has more evaluations than calls", { body: '{"evaluations":[{},{},{}]}' }],
    ["is no JSON", { body: "<html>" }],
    ["says two things", { body: '{"evaluations":[{"decision":false,"decision":true},{"decision":true}]}' }],
    ["says two things of how many there are", { body: '{"evaluations":[{},{}],"evaluations":[{},{}]}' }],
    ["has no evaluations", { body: '{"decision":true}' }],
    ["has the service in trouble", { status: 500, body: "boom" }],
  ])("since it %s is asked again, one by one", async (_, reply) => {
    const { asked, ask } = await service(() => reply);
    expect(await subjects([ask("a"), ask("b")])).toEqual(["a", "b"]);
    expect(asked.slice(-2).map(({ path }) => path)).toEqual([
      "/access/v1/evaluation",
      "/access/v1/evaluation",
    ]);
  });

  it("in part is asked again for that part", async () => {
    const { asked, ask } = await service(() => ({
      body: '{"evaluations":[{"decision":true,"context":{"subject":"a"}},"unwell"]}',
    }));
    const results = [ask("a"), ask("b")];
    expect(await subjects(results)).toEqual(["a", "b"]);
    expect(asked.at(-1)?.body).toBe(JSON.stringify(sent("b")));
    expect((await results[1])?.batchId).toBe(asked[0]?.id);
  });

  it("in part, as its reader says, is asked once more for that part, under that call's own id", async () => {
    const { asked, ask } = await service((subjects) => ({
      body: JSON.stringify({
        evaluations: subjects.map((subject) =>
          subject === "b"
            ? { decision: false, context: { error: "LDAP timeout" } }
            : { decision: true, context: { subject } },
        ),
      }),
    }));
    const reading = (reply: UpstreamReply) =>
      reply.body.includes("error")
        ? { cause: "http_5xx" as const, detail: "an error", status: 200 }
        : permitted(reply);
    const results = ["a", "b", "c"].map((name) => ask(name, {}, 3000, reading));
    expect(await subjects(results)).toEqual(["a", "b", "c"]);
    expect(asked.map(({ path, id }) => [path, id])).toEqual([
      ["/access/v1/evaluations", asked[0]?.id],
      ["/access/v1/evaluation", "id-b"],
    ]);
    expect((await Promise.all(results)).map(({ attempts }) => attempts)).toEqual([1, 2, 1]);
  });

  it("in part for good is that part's failure, and takes no batch from others", async () => {
    const { asked, refusals, ask } = await service();
    const failing = () => ({ cause: "http_5xx" as const, detail: "an error", status: 200 });
    const results = await Promise.all([ask("a"), ask("b", {}, 3000, failing)]);
    expect(results.map(({ answer }) => "cause" in answer && answer.cause)).toEqual([false, "http_5xx"]);
    expect(asked.map(({ path }) => path)).toEqual(["/access/v1/evaluations", "/access/v1/evaluation"]);
    expect(refusals).toEqual([]);
  });

  it("because the service knows no batches is said once, and none is made for a while", async () => {
    const { asked, refusals, ask } = await service(() => ({ status: 404, body: "" }));
    await Promise.all([ask("a"), ask("b")]);
    await Promise.all([ask("c"), ask("d")]);
    expect(asked.filter(({ path }) => path.endsWith("s"))).toHaveLength(1);
    expect(refusals).toEqual(["HTTP status 404 for a batch of evaluations"]);
  });

  it("leaves each call its deadline", async () => {
    const { ask } = await service(() => ({ status: 500, body: "" }));
    const slow = ask("a", {}, 400);
    const began = performance.now();
    await Promise.all([slow, ask("b", {}, 3000)]);
    expect(performance.now() - began).toBeLessThan(600);
  });
});

describe("a batch that hangs", () => {
  it("leaves the call with the least time enough to be made alone", async () => {
    const url = await httpService((request, response) => {
      request.resume();
      if (!request.url?.endsWith("s")) response.end("alone");
    });
    const batcher = new Batcher(caller(url, { timeout: 10_000 }).upstream, {
      max: 2,
      wait: 20,
      onRefused: () => {},
    });
    const ask = (subject: string, deadline: number) =>
      batcher.call({
        request: evaluation(subject),
        id: `id-${subject}`,
        deadline: new Deadline(deadline),
        interpret: permitted,
      });
    const [soon] = await Promise.all([ask("a", 1000), ask("b", 4000)]);
    expect(soon.answer).toMatchObject({ body: "alone" });
  });
});

describe("what interprets a reply", () => {
  it("has no more time in a batch than alone", async () => {
    const { ask } = await service();
    const began = performance.now();
    const [late] = await Promise.all([ask("a", {}, 300, () => new Promise(() => {})), ask("b")]);
    expect(late?.answer).toMatchObject({ cause: "timeout" });
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it("may fail, which is that call's own affair", async () => {
    const url = await httpService((_request, response) => {
      response
        .writeHead(200, { "content-type": "application/json" })
        .end('{"evaluations":[{"n":1},{"n":2}]}');
    });
    const { upstream } = caller(url);
    const batcher = new Batcher(upstream, { max: 10, wait: 5, onRefused: () => {} });
    const ask = (interpret: (reply: UpstreamReply) => { n: number }) =>
      batcher.call({
        request: evaluation("x"),
        id: "id",
        deadline: new Deadline(1000),
        interpret: interpret,
      });
    const [first, second] = await Promise.all([
      ask(() => {
        throw new Error("no idea");
      }),
      ask(({ body }) => JSON.parse(body.toString())),
    ]);
    expect(first?.answer).toEqual({ cause: "bad_reply", detail: "the mapping failed on the reply: no idea" });
    expect(second?.answer).toEqual({ n: 2 });
  });
});

describe("who asks in a batch", () => {
  const a: Asker = { subject: "192.0.2.1", blamed: ["192.0.2.1"] };
  const b: Asker = { subject: "198.51.100.1", blamed: ["198.51.100.1"] };

  it.each([
    ["the one who asks all of it", [a, a], [a]],
    ["nobody who is in it, where they are several", [a, b], [SEVERAL]],
    ["each for himself, when it has failed", [a, b], [SEVERAL, a, b], 500],
  ])("is %s", async (_case, askers, expected, status = 200) => {
    const seen: (Asker | undefined)[] = [];
    const reply = (path: string): UpstreamReply => ({
      status: path.endsWith("s") ? status : 200,
      headers: new Map(),
      body: Buffer.from(path.endsWith("s") ? '{"evaluations":[{},{}]}' : "{}"),
    });
    const batcher = new Batcher(
      {
        call: async ({ request, interpret, asker }) => {
          seen.push(asker);
          return { answer: await interpret(reply(request.path)), attempts: 1 };
        },
      },
      { max: 10, wait: 5, onRefused: () => {} },
    );
    await Promise.all(
      askers.map((asker, n) =>
        batcher.call({
          request: evaluation(`${n}`),
          id: "id",
          deadline: new Deadline(3000),
          interpret: permitted,
          asker,
        }),
      ),
    );
    expect(seen).toEqual(expected);
  });
});

describe("a decision that names another request", () => {
  /** What comes of evaluations, and of their batch, whose replies have this X-Request-ID. */
  async function outcomes(named: (id: string) => string | string[] | undefined, status = 200) {
    const connections = new Set<unknown>();
    const url = await httpService((request, response) => {
      connections.add(request.socket);
      const value = named(String(request.headers["x-request-id"]));
      if (value !== undefined) response.setHeader("x-request-id", value);
      request.resume().on("end", () => {
        const body = request.url?.endsWith("s") ? { evaluations: [{ n: 1 }, { n: 2 }] } : { n: 0 };
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      });
    });
    const { upstream, call } = caller(url);
    const refusals: string[] = [];
    const options = { max: 2, wait: 20, onRefused: (detail: string) => refusals.push(detail) };
    const batcher = new Batcher(upstream, options);
    const results = await Promise.all(
      ["a", "b"].map((name) =>
        batcher.call({
          request: evaluation(name),
          id: name,
          deadline: new Deadline(1000),
          interpret: permitted,
        }),
      ),
    );
    const answers = results.map(({ answer }) => ("cause" in answer ? answer : answer.body));
    return { answers, refusals, connections, call };
  }

  it.each<[string, (id: string) => string | string[] | undefined]>([
    ["its own", (id) => id],
    ["none", () => undefined],
    ["its own beside a proxy's", (id) => ["f00", id]],
  ])("is none where it has %s", async (_name, named) => {
    const { answers, refusals } = await outcomes(named);
    expect(answers).toEqual(['{"n":1}', '{"n":2}']);
    expect(refusals).toEqual([]);
  });

  it("is no decision, neither of one nor of a batch, and its connection is not used again", async () => {
    const { answers, refusals, connections } = await outcomes(() => "another");
    const detail = expect.stringContaining("X-Request-ID names another request");
    expect(answers).toEqual([
      { cause: "bad_reply", status: 200, detail },
      { cause: "bad_reply", status: 200, detail },
    ]);
    expect(refusals).toEqual([detail]);
    expect(connections.size).toBe(3);
  });

  it("is what its status says where that is no decision", async () => {
    const { answers } = await outcomes(() => "a-proxy", 503);
    expect(answers).toEqual([
      expect.objectContaining({ cause: "http_5xx" }),
      expect.objectContaining({ cause: "http_5xx" }),
    ]);
  });

  it("is only one of AuthZEN: other services use the header as they like", async () => {
    const { call } = await outcomes(() => "another");
    expect((await call()).answer).toMatchObject({ body: '{"n":0}' });
  });
});
