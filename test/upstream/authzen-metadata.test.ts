import { describe, expect, it } from "vitest";
import type { UpstreamReply } from "../../src/model/exchange.ts";
import {
  discoveredPath,
  metadataAge,
  metadataPlace,
  readMetadata,
} from "../../src/upstream/authzen-metadata.ts";

const PDP = "https://pdp.example.com";
const WHOLE = {
  policy_decision_point: PDP,
  access_evaluation_endpoint: `${PDP}/ask`,
  access_evaluations_endpoint: `${PDP}/ask/many?v=1`,
};

function reply(body: unknown, headers: Record<string, string> = {}, status = 200): UpstreamReply {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return {
    status,
    headers: new Map(Object.entries({ "content-type": "application/json", ...headers })),
    body: Buffer.from(text),
  };
}

function read(body: unknown, { service = PDP, address = "", headers = {}, status = 200 } = {}) {
  const place = metadataPlace(new URL(service), address === "" ? undefined : new URL(address));
  return readMetadata(reply(body, headers, status), place);
}

describe("the document's place", () => {
  it.each([
    ["https://pdp.example.com", "https://pdp.example.com/.well-known/authzen-configuration"],
    ["https://pdp.example.com/", "https://pdp.example.com/.well-known/authzen-configuration"],
    ["https://pdp.example.com/tenant1", "https://pdp.example.com/.well-known/authzen-configuration/tenant1"],
    ["http://[::1]:8080/a/b/", "http://[::1]:8080/.well-known/authzen-configuration/a/b"],
  ])("of %s is %s", (service, address) => {
    expect(metadataPlace(new URL(service)).address.href).toBe(address);
  });
});

describe("a document", () => {
  it("says where the service is asked; what else it says is passed over", () => {
    expect(read({ ...WHOLE, signed_metadata: 7, search_subject_endpoint: [], capabilities: null })).toEqual({
      evaluation: "/ask",
      evaluations: "/ask/many?v=1",
    });
  });

  it("without an endpoint for several says that there are no batches", () => {
    const { access_evaluations_endpoint: _, ...alone } = WHOLE;
    expect(read(alone)).toEqual({ evaluation: "/ask", evaluations: null });
  });

  it("without an endpoint leaves the default path, below the identifier", () => {
    const service = `${PDP}/tenant1`;
    expect(read({ policy_decision_point: service }, { service })).toEqual({
      evaluation: "/tenant1/access/v1/evaluation",
      evaluations: null,
    });
  });

  it.each([404, 410])("that is not there (%i) leaves the default paths, and batches", (status) => {
    expect(read("gone", { service: `${PDP}/t/`, status })).toEqual({
      evaluation: "/t/access/v1/evaluation",
      evaluations: "/t/access/v1/evaluations",
    });
  });

  it.each<[string, unknown, object, Record<string, unknown>]>([
    ["no JSON", "{", {}, { cause: "bad_reply", detail: /not readable as JSON/ }],
    [
      "a member twice",
      '{"policy_decision_point":"a","policy_decision_point":"b"}',
      {},
      { cause: "bad_reply" },
    ],
    ["a list", [WHOLE], {}, { cause: "bad_reply", detail: /no JSON object/ }],
    ["null", null, {}, { cause: "bad_reply", detail: /no JSON object/ }],
    [
      "a web page",
      "<h1>",
      { headers: { "content-type": "text/html" } },
      { detail: /expected.*application\/json, got "text\/html"/ },
    ],
    ["another type", WHOLE, { headers: { "content-type": "application/jsonp" } }, { cause: "bad_reply" }],
    [
      "no identifier",
      { ...WHOLE, policy_decision_point: undefined },
      {},
      { detail: /policy_decision_point must be a URL, got nothing/ },
    ],
    ["a number as identifier", { ...WHOLE, policy_decision_point: 1 }, {}, { detail: /got a number/ }],
    [
      "another's identifier",
      { ...WHOLE, policy_decision_point: "https://evil.example" },
      {},
      { detail: /another decision point's.*expected https:\/\/pdp\.example\.com/ },
    ],
    [
      "a tenant's identifier",
      { ...WHOLE, policy_decision_point: `${PDP}/t` },
      {},
      { detail: /another decision point's/ },
    ],
    [
      "an identifier with a query",
      { ...WHOLE, policy_decision_point: `${PDP}/?t` },
      {},
      { detail: /another decision point's/ },
    ],
    [
      "an endpoint elsewhere",
      { ...WHOLE, access_evaluation_endpoint: "https://evil.example/ask" },
      {},
      { cause: "bad_reply", detail: /another origin, "https:\/\/evil\.example"/ },
    ],
    [
      "an endpoint on another port",
      { ...WHOLE, access_evaluations_endpoint: `${PDP}:8443/ask` },
      {},
      { detail: /access_evaluations_endpoint leads to another origin/ },
    ],
    [
      "an endpoint over http",
      { ...WHOLE, access_evaluation_endpoint: "http://pdp.example.com/ask" },
      {},
      { detail: /another origin/ },
    ],
    [
      "a relative endpoint",
      { ...WHOLE, access_evaluation_endpoint: "/ask" },
      {},
      { detail: /must be a URL, got "\/ask"/ },
    ],
    ["an endpoint that is null", { ...WHOLE, access_evaluation_endpoint: null }, {}, { detail: /got null/ }],
    [
      "an endpoint that is a list",
      { ...WHOLE, access_evaluations_endpoint: [PDP] },
      {},
      { detail: /got a list/ },
    ],
    [
      "an endpoint with credentials",
      { ...WHOLE, access_evaluation_endpoint: "https://a:b@pdp.example.com/ask" },
      {},
      { detail: /credentials or a fragment/ },
    ],
    [
      "an endpoint with a fragment",
      { ...WHOLE, access_evaluation_endpoint: `${PDP}/#a` },
      {},
      { detail: /credentials or a fragment/ },
    ],
    [
      "a long endpoint",
      { ...WHOLE, access_evaluation_endpoint: `${PDP}/${"a".repeat(3000)}` },
      {},
      { cause: "bad_reply" },
    ],
    ["a redirect", "", { status: 302 }, { cause: "bad_reply", detail: /redirects \(302\)/ }],
    ["a refusal", "", { status: 401 }, { cause: "http_4xx", status: 401, detail: /credentials/ }],
    ["trouble", "", { status: 503 }, { cause: "http_5xx", status: 503 }],
    ["nothing", "", { status: 204 }, { cause: "bad_reply" }],
  ])("that is, or has, %s cannot be used", (_name, body, options, { detail = /./, ...failure }) => {
    const outcome = read(body, options);
    expect(outcome).toMatchObject({ ...failure, detail: expect.stringMatching(detail as RegExp) });
    expect(outcome).toMatchObject({
      detail: expect.stringContaining("discovery at https://pdp.example.com/"),
    });
  });
});

describe("a call's path", () => {
  const found = { evaluation: "/ask", evaluations: "/ask?many=1" };
  it.each([
    ["/access/v1/evaluation", "/ask"],
    ["/access/v1/evaluations", "/ask?many=1"],
    ["/access/v1/evaluation?key=a?b", "/ask?key=a?b"],
    ["/access/v1/evaluations?key=a", "/ask?many=1&key=a"],
    ["/access/v1/search/subject", null],
    ["/x/access/v1/evaluation", null],
  ])("%s becomes %s", (path, becomes) => expect(discoveredPath(path, found)).toBe(becomes));
});

describe("a document whose address is given", () => {
  const realm = "https://kc.example.com/realms/corp";
  const store = "https://fga.example.com/stores/01";
  it.each([
    ["appended to the identifier", realm, `${realm}/.well-known/authzen-configuration`, realm],
    ["of the service itself", store, "https://fga.example.com/.well-known/authzen-configuration/01", store],
    [
      "made from another path",
      store,
      "https://fga.example.com/.well-known/authzen-configuration/01",
      "https://fga.example.com/01",
    ],
    [
      "that names no tenant",
      store,
      "https://fga.example.com/.well-known/authzen-configuration/01",
      "https://fga.example.com",
    ],
    ["that names nobody", store, "https://meta.example.com/fga.json", undefined],
    ["on another host", store, "https://meta.example.com/fga.json", store],
  ])("is taken, %s", (_name, service, address, policy_decision_point) => {
    const document = { policy_decision_point, access_evaluation_endpoint: `${service}/access/v1/evaluation` };
    expect(read(document, { service, address })).toEqual({
      evaluation: `${new URL(service).pathname}/access/v1/evaluation`,
      evaluations: null,
    });
  });

  it.each([
    ["another store's", "https://fga.example.com/stores/02"],
    ["another host's", "https://evil.example"],
  ])("is not taken when it is %s", (_name, policy_decision_point) => {
    const address = "https://fga.example.com/.well-known/authzen-configuration/01";
    expect(read({ policy_decision_point }, { service: store, address })).toMatchObject({
      cause: "bad_reply",
      detail: expect.stringMatching(/another decision point's/),
    });
  });
});

describe("a document is read again after", () => {
  it.each<[string, Record<string, string>, number, number]>([
    ["an hour", {}, 200, 3600],
    ["five minutes where there is none", {}, 404, 300],
    ["as long as it says", { "cache-control": "public, Max-Age=600" }, 200, 600],
    ["a day at most", { "cache-control": "max-age=9999999" }, 200, 86_400],
    ["half a minute at least", { "cache-control": "max-age=0" }, 200, 30],
    ["half a minute where it is not to be kept", { "cache-control": "no-store, max-age=600" }, 200, 30],
    ["an hour where it says nonsense", { "cache-control": "max-age=soon" }, 200, 3600],
  ])("%s", (_name, headers, status, seconds) => {
    expect(metadataAge(reply("", headers, status))).toBe(seconds * 1000);
  });
});
