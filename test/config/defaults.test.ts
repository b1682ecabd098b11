import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { formatProblem, ProblemError } from "../../src/source/problem.ts";

const FILE = "/nowhere/pfxbridge.yaml";

async function servicesOf(text: string) {
  const { services } = await parseConfig(text, FILE);
  return Object.fromEntries(services);
}

async function problemsOf(text: string): Promise<readonly string[]> {
  try {
    return (await parseConfig(text, FILE)).warnings.map((each) =>
      formatProblem(each).replace(`${FILE}:`, ""),
    );
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return error.problems.map((each) => formatProblem(each).replace(`${FILE}:`, ""));
  }
}

describe("defaults", () => {
  it("stand in each service that has the key not", async () => {
    const { a, b } = await servicesOf(
      "defaults: { timeout: 500ms, mapping: cerbos }\nservices: { a: { url: https://a.example }, b: { url: https://b.example, timeout: 2s } }\nroutes: [{ service: a }]",
    );
    expect([a?.timeout, b?.timeout]).toEqual([500, 2000]);
    expect([a?.mapping.name, b?.mapping.name]).toEqual(["cerbos", "cerbos"]);
  });

  it("are merged key by key in tables, one level deep", async () => {
    const { a } = await servicesOf(
      [
        "defaults: { retry: { attempts: 5, backoff: 10ms }, headers: { x-a: one, x-b: two }, cache: { ttl: 5m } }",
        "services: { a: { url: https://a.example, retry: { attempts: 2 }, headers: { x-b: own }, cache: { ttl: 1m } } }",
      ].join("\n"),
    );
    expect(a).toMatchObject({
      retry: { attempts: 2, backoff: 10 },
      headers: { "x-a": "one", "x-b": "own" },
      cache: { ttl: 60_000 },
    });
  });

  it("are replaced as a whole elsewhere", async () => {
    const { a } = await servicesOf(
      [
        "defaults: { on_failure: { timeout: DUNNO }, mapping: { use: authzen, with: { server: mx1 } } }",
        "services: { a: { url: https://a.example, on_failure: { bad_reply: REJECT }, mapping: { use: authzen } } }",
      ].join("\n"),
    );
    expect(a?.onFailure.timeout).toEqual(
      (await servicesOf("services: { b: { url: https://b.example } }")).b?.onFailure.timeout,
    );
  });

  it("are taken away by an empty key", async () => {
    const { a, b } = await servicesOf(
      "defaults: { cache: {} }\nservices: { a: { url: https://a.example }, b: { url: https://b.example, cache: ~ } }\nroutes: [{ service: a }]",
    );
    expect(a?.cache).toBeDefined();
    expect(b?.cache).toBeUndefined();
  });

  it("are checked where no service is", async () => {
    expect(await problemsOf("defaults: { timeout: never }\nroutes: [{ action: DUNNO }]")).toHaveLength(1);
  });

  const two =
    "services: { a: { url: https://a.example }, b: { url: https://b.example } }\nroutes: [{ when: size > 1, service: b }, { service: a }]";
  it.each([
    [
      "an unknown key",
      `defaults:\n  timout: 1s\n${two}`,
      '2:3: error: unknown key "timout"; did you mean "timeout"?',
    ],
    [
      "a wrong type",
      `defaults:\n  timeout: never\n${two}`,
      '2:12: error: expected a duration such as 250ms, 3s, 5m or 24h, got "never"',
    ],
    [
      "a wrong member of a table",
      `defaults:\n  retry: { attempts: 0 }\n${two}`,
      "2:22: error: expected at least 1, got the number 0",
    ],
    [
      "a url, which no two services share",
      `defaults: { url: https://c.example }\n${two}`,
      '1:13: error: unknown key "url"',
    ],
    ["what only a reader of the meaning finds", `defaults:\n  mapping: nosuch\n${two}`, "2:12: error: "],
    [
      "a header of the bridge",
      `defaults:\n  headers: { host: x }\n${two}`,
      "2:14: error: the header host is set by the bridge",
    ],
  ])("with %s are wrong where that stands, and once", async (_name, text, problem) => {
    const problems = await problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it("are not blamed for what a service says itself", async () => {
    const text =
      "defaults:\n  retry: { attempts: 3 }\nservices:\n  a:\n    url: https://a.example\n    retry: { attempts: 0 }";
    expect(await problemsOf(text)).toEqual(["6:24: error: expected at least 1, got the number 0"]);
  });
});
