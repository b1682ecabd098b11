import { describe, expect, it } from "vitest";
import { Program, run, Site } from "./program.ts";
import { ANY_PORT, GATE, permitting, service } from "./services.ts";

const TOKEN = "hunter22-very-secret";
const ATTRIBUTES = ["sender=a@example.net", "recipient=b@example.org"];

/** A service that denies, and repeats the credentials that it was shown. */
const echoing = () =>
  service(({ headers }) => ({
    headers: { "x-seen": String(headers.authorization) },
    body: { allowed: false, reason: `no to ${headers.authorization}\x1b[31m` },
  }));

async function siteFor(url: string, corp: Readonly<Record<string, unknown>> = {}): Promise<Site> {
  return Site.create({
    "pfxbridge.yaml": {
      services: {
        corp: { url, mapping: "./gate.yaml", auth: { bearer: TOKEN }, retry: { attempts: 2 }, ...corp },
      },
      routes: [{ when: 'protocol_state == "VRFY"', action: "REJECT" }, { service: "corp" }],
    },
    "gate.yaml": GATE,
  });
}

describe("one decision, step by step", () => {
  it("says that a bridge which runs may answer from memory, where the service remembers", async () => {
    const { url } = await permitting();
    const site = await siteFor(url, { cache: {} });
    const { stderr } = await run(["try", "-c", site.config, ...ATTRIBUTES]);
    expect(stderr).toContain("a bridge that runs may answer this from what it remembers of corp");
  });

  it("shows route, call, reply, rule and action, and no secret, also where the reply echoes it", async () => {
    const { url } = await echoing();
    const site = await siteFor(url);
    const { status, stdout, stderr } = await run(["try", "-c", site.config, ...ATTRIBUTES]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const paragraphs = stdout.split("\n\n").filter((text) => /^\S/.test(text));
    expect(paragraphs.map((text) => text.split(/\s/)[0])).toEqual([
      "Request",
      "Route",
      "Call",
      "Reply",
      "Rule",
      "Action",
    ]);
    expect(stdout).toMatch(/^Request {5}sender=a@example\.net\n {12}recipient=b@example\.org\n/);
    expect(stdout).toContain("\nRoute       2, which matches everything: service corp\n");
    expect(stdout).toContain(`\nCall        POST ${url}/check\n`);
    expect(stdout).toMatch(/^ {12}authorization: Bearer \*\*\*$/m);
    expect(stdout).toContain('\n            {"sender":"a@example.net","recipient":"b@example.org"}\n');
    expect(stdout).toMatch(/^Reply {7}status 200, after \d+(\.\d)? ms$/m);
    expect(stdout).toMatch(/^ {12}x-seen: Bearer \*\*\*$/m);
    expect(stdout).toMatch(/\nRule {8}2\n\nAction {6}REJECT 5\.7\.1 no to Bearer \*\*\* \[31m\n$/);
    expect(stdout).not.toMatch(/hunter22|\x1b/);
  });

  it("as JSON for machines, with the same in it, and no secret", async () => {
    const { url } = await echoing();
    const site = await siteFor(url);
    const { status, stdout } = await run(["try", "--json", "-c", site.config, ...ATTRIBUTES]);
    expect(status).toBe(0);
    expect(stdout).not.toContain("hunter22");
    expect(JSON.parse(stdout)).toMatchObject({
      request: { sender: "a@example.net", recipient: "b@example.org" },
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      route: 2,
      call: {
        method: "POST",
        path: "/check",
        body: '{"sender":"a@example.net","recipient":"b@example.org"}',
      },
      attempts: [
        {
          url: `${url}/check`,
          headers: { authorization: "Bearer ***" },
          reply: { status: 200, headers: { "x-seen": "Bearer ***" }, ms: expect.any(Number) },
        },
      ],
      decision: {
        service: "corp",
        mapping: "./gate.yaml",
        source: "upstream",
        rule: 2,
        action: "REJECT 5.7.1 no to Bearer *** [31m",
      },
    });
  });

  it("shows each attempt, the cause and on_failure's action, and ends with 1", async () => {
    const site = await siteFor("http://127.0.0.1:1", { on_failure: "DEFER 4.3.0 ${cause}" });
    const { status, stdout } = await run(["try", "-c", site.config, ...ATTRIBUTES]);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^Call 2 {6}POST http:\/\/127\.0\.0\.1:1\/check, with the same headers and body$/m,
    );
    expect(stdout.match(/^Failed {6}unreachable, after /gm)).toHaveLength(2);
    expect(stdout).toMatch(
      /^Cause {7}unreachable\n {12}http:\/\/127\.0\.0\.1:1: it refused the connection; /m,
    );
    expect(stdout).toMatch(
      /^on_failure {2}DEFER 4\.3\.0 unreachable\n\nAction {6}DEFER 4\.3\.0 unreachable\n$/m,
    );
  });

  it("says where a route answers by itself", async () => {
    const { url, calls } = await permitting();
    const site = await siteFor(url);
    const { status, stdout } = await run(["try", "-c", site.config, "protocol_state=VRFY"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^Route {7}1, when protocol_state == "VRFY": action REJECT\n\nAction {6}REJECT\n$/m,
    );
    expect(calls).toEqual([]);
  });

  it("makes no call with --offline", async () => {
    const { url, calls } = await permitting();
    const site = await siteFor(url, { on_failure: { offline: "WARN offline" } });
    const { status, stdout } = await run(["try", "--offline", "-c", site.config, ...ATTRIBUTES]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^Cause {7}offline$/m);
    expect(stdout).toMatch(/\nAction {6}WARN offline\n$/);
    expect(calls).toEqual([]);
  });

  it("says that the connection would be closed", async () => {
    const site = await siteFor("http://127.0.0.1:1", { on_failure: "postfix-default" });
    const { status, stdout } = await run(["try", "-c", site.config, ...ATTRIBUTES]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/\nAction {6}none: the connection is closed without a reply\n$/);
  });

  it.each([
    ["LF", "sender=a@example.net\nrecipient=b@example.org\n\n"],
    ["CRLF", "sender=a@example.net\r\nrecipient=b@example.org\r\n\r\n"],
    ["no empty line", "sender=a@example.net\nrecipient=b@example.org"],
  ])("reads the request from standard input, with %s", async (_name, input) => {
    const { url } = await permitting();
    const site = await siteFor(url);
    const { status, stdout } = await run(["try", "-c", site.config], { input });
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/\nAction {6}DUNNO\n$/),
    });
    expect(stdout).toContain('{"sender":"a@example.net","recipient":"b@example.org"}');
  });

  it("asks for attributes when there are none", async () => {
    const site = await siteFor("http://127.0.0.1:1");
    expect(await run(["try", "-c", site.config])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^pfxbridge: no attributes: name some, as in sender=a@example\.net\n/),
    });
  });
});

describe("--to: asks a policy service that runs, as Postfix would", () => {
  it("prints its answer", async () => {
    const site = await Site.create({
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        routes: [{ when: 'sender == "a@example.net"', action: "REJECT 5.7.1 no" }, { action: "DUNNO" }],
      },
    });
    const bridge = await Program.serve(site);
    const to = ["try", "--to", bridge.endpoints[0] ?? ""];
    expect(await run([...to, ...ATTRIBUTES])).toEqual({
      status: 0,
      stdout: "action=REJECT 5.7.1 no\n",
      stderr: "",
    });
    expect(await run(to, { input: "sender=x\n\n" })).toEqual({
      status: 0,
      stdout: "action=DUNNO\n",
      stderr: "",
    });
    expect(JSON.parse((await run([...to, "--json", ...ATTRIBUTES])).stdout)).toEqual({
      action: "REJECT 5.7.1 no",
    });
  });

  it("says that nobody listens, and ends with 1", async () => {
    expect(await run(["try", "--to", "inet:127.0.0.1:1", ...ATTRIBUTES])).toEqual({
      status: 1,
      stdout: "",
      stderr: "pfxbridge: nobody listens on inet:127.0.0.1:1 (connection refused)\n",
    });
  });

  it("says that there was no reply, and ends with 1", async () => {
    const bridge = await Program.serve(
      await Site.create({
        "pfxbridge.yaml": {
          listen: ANY_PORT,
          services: { corp: { url: "http://127.0.0.1:1", mapping: "rest", on_failure: "postfix-default" } },
        },
      }),
    );
    const { status, stdout, stderr } = await run(["try", "--to", bridge.endpoints[0] ?? "", ...ATTRIBUTES]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^pfxbridge: [^\n]*closed the connection[^\n]*\n$/);
  });
});

it("shows no control character and nothing that is not seen, as JSON either", async () => {
  const hostile = "a\u009b2J\u200b\u{e0041}\u202e";
  const { url } = await service(() => ({ body: { allowed: false, reason: hostile } }));
  const site = await Site.create({
    "gate.yaml": GATE,
    "pfxbridge.yaml": { services: { corp: { url, mapping: "./gate.yaml" } } },
  });
  for (const json of [["--json"], []]) {
    const args = [
      "try",
      "-c",
      site.config,
      ...json,
      `sender=${hostile}@example.net`,
      "recipient=b@example.org",
    ];
    const { status, stdout } = await run(args);
    expect(status).toBe(0);
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]|\udb40/);
    if (json.length > 0) expect(JSON.parse(stdout).request.sender).toBe(`${hostile}@example.net`);
  }
});

describe("a misspelt attribute", () => {
  it("is noticed, with the nearest name, and asked all the same", async () => {
    const { url } = await permitting();
    const site = await siteFor(url);
    const { stdout, stderr } = await run(["try", "-c", site.config, "sendr=a@example.net", "x=1"]);
    expect(stderr).toBe(
      'pfxbridge: warning: Postfix sends no attribute "sendr"; did you mean "sender"?\npfxbridge: warning: Postfix sends no attribute "x"\n',
    );
    expect(stdout).toContain("sendr=a@example.net");
  });

  it("with --to, too", async () => {
    const { stderr } = await run(["try", "--to", "inet:127.0.0.1:1", "recipent=b@example.org"]);
    expect(stderr).toContain('Postfix sends no attribute "recipent"; did you mean "recipient"?\n');
  });
});
