import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { description, drafted, listed, written } from "./descriptions.ts";

const CASES = [
  ["3.1", "authzen.yaml", "evaluation"],
  ["3.0", "opa.yaml", "getDocumentWithPath"],
  ["2.0", "openfga.json", "Check"],
  ["3.1 in two files", "cerbos.yaml", "checkResources"],
  ["3.0, a form", "form.json", "POST /v1/may-send/{tenant}"],
] as const;

describe.each(CASES)("OpenAPI %s, %s", (_, name, operation) => {
  it("has the operation as the likely one", async () => {
    const { likely } = await (await listed("openapi", description(`openapi/${name}`))).overview();
    expect(likely).toBe(operation);
  });
});

const mapping = async (name: string, operation: string) =>
  parse(await drafted("openapi", description(`openapi/${name}`), operation));

const whens = ({ response }: { response: { when: string }[] }) => response.map(({ when }) => when);

describe("what is written", () => {
  it("has the members that must be there, by what references lead to", async () => {
    const found = await mapping("cerbos.yaml", "checkResources");
    expect(found.request).toEqual({
      method: "POST",
      path: "/api/check/resources",
      json: {
        requestId: "${request_id}",
        principal: {
          id: '${first(sasl_username, sender, "<>")}',
          roles: ['${attributes["CHOOSE principal.roles"]}'],
        },
        resources: [
          {
            actions: ['${attributes["CHOOSE resources.actions"]}'],
            resource: { kind: '${attributes["CHOOSE resources.resource.kind"]}', id: "${recipient}" },
          },
        ],
      },
    });
    expect(whens(found)).toContain('body.results[0].actions.CHOOSE == "EFFECT_ALLOW"');
  });

  it("guesses no address for an id that is made of parts", async () => {
    const { request } = await mapping("openfga.json", "Check");
    expect(request).toEqual({
      method: "POST",
      path: '/stores/${attributes["CHOOSE store_id"]}/check',
      json: {
        tuple_key: {
          user: '${attributes["CHOOSE tuple_key.user"]}',
          relation: '${attributes["CHOOSE tuple_key.relation"]}',
          object: '${attributes["CHOOSE tuple_key.object"]}',
        },
      },
    });
  });

  it("takes a result of any type for a bool, which it must then be", async () => {
    const found = await mapping("opa.yaml", "getDocumentWithPath");
    expect(whens(found)).toEqual(["body.result == true", "body.result == false"]);
    expect(found.request.json).toEqual({
      input: { user: "${sasl_username}", sender: "${sender}", recipient: "${recipient}" },
    });
  });

  it("has parameters where they go, types and single values, and no header that is not a mapping's", async () => {
    const text = await drafted("openapi", description("openapi/form.json"), "POST /v1/may-send/{tenant}");
    expect(parse(text).request).toEqual({
      method: "POST",
      path: '/v1/may-send/${attributes["CHOOSE tenant"]}',
      query: { level: '${int(attributes["CHOOSE level"])}' },
      headers: { "x-site": '${attributes["CHOOSE x-site"]}' },
      form: { from: "${sender}", to: "${recipient}", kind: "mail" },
    });
    expect(text).toContain("#         url: https://authz.example.com/api\n");
    expect(text).toContain("# CHOOSE: tenant (string, one of a, b)\n");
  });

  it("says how the service wants to be shown who asks", async () => {
    const text = await drafted("openapi", description("openapi/authzen.yaml"), "evaluation");
    expect(text).toContain("#         auth: { bearer: { file: PATH } } # security scheme token\n");
    expect(text).toContain("403 (Forbidden)");
  });

  it.each([
    [{ type: "http", scheme: "basic" }, "auth: { basic: { username: NAME, password: { file: PATH } } }"],
    [
      { type: "apiKey", in: "header", name: "X-Api-Key" },
      'auth: { api_key: { header: "X-Api-Key", key: { file: PATH } } }',
    ],
    [
      { type: "apiKey", in: "query", name: "key" },
      'auth: { api_key: { query: "key", key: { file: PATH } } }',
    ],
    [{ type: "mutualTLS" }, "tls: { cert: PATH, key: PATH }"],
    [
      {
        type: "oauth2",
        flows: { clientCredentials: { tokenUrl: "https://login.example.com/token", scopes: {} } },
      },
      'auth: { oauth2: { token_url: "https://login.example.com/token", client_id: NAME, client_secret: { file: PATH } } }',
    ],
    [
      {
        type: "openIdConnect",
        openIdConnectUrl: "https://login.example.com/corp/.well-known/openid-configuration",
      },
      'auth: { oauth2: { issuer: "https://login.example.com/corp", client_id: NAME, client_secret: { file: PATH } } }',
    ],
  ])("says it for %j as the configuration writes it", async (scheme, line) => {
    const schema = { type: "object", properties: { allowed: { type: "boolean" } } };
    const content = { "application/json": { schema } };
    const file = await written(
      JSON.stringify({
        openapi: "3.1.0",
        info: { title: "t", version: "1" },
        components: { securitySchemes: { way: scheme } },
        security: [{ way: [] }],
        paths: {
          "/check": { post: { operationId: "check", responses: { 200: { description: "", content } } } },
        },
      }),
    );
    const text = await drafted("openapi", file, "check");
    expect(text).toContain(line);
    expect(text).toContain("# security scheme way");
  });

  it("takes no name of a document for more than a name", async () => {
    const hostile = '${secret.x}"\n# y\u001b[31m';
    const file = await written(
      JSON.stringify({
        openapi: "3.0.0",
        info: { title: `t\n# CHOOSE: \u001b]0;x`, version: "1" },
        paths: {
          "/a/${sender}/b": {
            post: {
              operationId: "check",
              requestBody: {
                content: {
                  "application/json": {
                    schema: {
                      type: "object",
                      required: [hostile, "x"],
                      properties: {
                        [hostile]: { type: "string" },
                        x: { type: "string", enum: ["${sender}"] },
                      },
                    },
                  },
                },
              },
              responses: {
                200: {
                  description: "",
                  content: {
                    "application/json": {
                      schema: {
                        type: "object",
                        required: ["__proto__", "in"],
                        properties: { in: { type: "string", enum: ["yes", "no\n${x}"] } },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      }),
    );
    const text = await drafted("openapi", file, "check");
    expect(text).not.toContain("\u001b");
    const { loadMapping } = await import("../../src/mapping/load.ts");
    const loaded = await loadMapping({ name: "x", file: await written(text, "mine.yaml"), parameters: {} });
    expect((await loaded.check()).filter(({ passed }) => !passed)).toEqual([]);
    expect(text.split("\n").filter((line) => line.startsWith("# CHOOSE"))).toEqual([]);
  });
});
