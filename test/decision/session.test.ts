/**
 * `auth.session` against services that log in as real ones do. PingAM's replies are those of its documentation: "Log in to
 * AM over REST" and "Session token after authentication"
 * (https://docs.pingidentity.com/pingam/8/am-authentication/login-using-REST.html), "Request policy decisions over REST".
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { TokenShelf } from "../../src/bridge/token-shelf.ts";
import { type Answer, AuthorizationService, type Call } from "../support/service.ts";
import { open } from "./bridge.ts";

const PASSWORD = "Ch4ng31t-and-more";
const LOGIN = "/am/json/realms/root/realms/alpha/authenticate";
const MAPPING = {
  request: {
    path: "/am/json/realms/root/realms/alpha/policies?_action=evaluate",
    json: { sender: "${sender}" },
  },
  response: [
    { when: "body[0].actions.send == true", action: "DUNNO" },
    { when: "status == 403", action: "REJECT ${text}" },
  ],
};
const PINGAM = {
  login: {
    method: "POST",
    path: LOGIN,
    headers: {
      "Content-Type": "application/json",
      "X-OpenAM-Username": "bridge",
      "X-OpenAM-Password": "${secret.password}",
      "Accept-API-Version": "resource=2.0, protocol=1.0",
    },
  },
  secrets: { password: PASSWORD },
  token: "body.tokenId",
  cookie: "iPlanetDirectoryPro",
};
const tokenOf = (n: number) => `AQIC5wM-number-${n}_TU3OQ*`;

/** What PingAM replies: to a login by the two headers, and to a call by the cookie of a session that is still good. */
class PingAm {
  logins = 0;
  good = "";
  password = PASSWORD;
  /** Instead of what it does as a rule. */
  login: ((call: Call) => Answer | undefined | Promise<Answer>) | null = null;
  evaluate: ((call: Call) => Answer | undefined) | null = null;

  readonly answer = async (call: Call): Promise<Answer> => {
    if (call.url !== LOGIN) return this.evaluate?.(call) ?? this.#evaluated(call);
    this.logins++;
    const own = await this.login?.(call);
    if (own !== undefined) return own;
    const { headers } = call;
    if (headers["x-openam-username"] !== "bridge" || headers["x-openam-password"] !== this.password) {
      return { status: 401, body: { code: 401, reason: "Unauthorized", message: "Authentication Failed" } };
    }
    this.good = tokenOf(this.logins);
    return { body: { tokenId: this.good, successUrl: "/am/console", realm: "/alpha" } };
  };

  #evaluated({ headers }: Call): Answer {
    if (headers.cookie !== `iPlanetDirectoryPro=${this.good}`) {
      return { status: 401, body: { code: 401, reason: "Unauthorized", message: "Access Denied" } };
    }
    const decision = { resource: "mail", actions: { send: true }, attributes: {}, advices: {}, ttl: 0 };
    return { body: [decision] };
  }
}

async function started() {
  const am = new PingAm();
  const service = await AuthorizationService.start(am.answer);
  onTestFinished(() => service.stop());
  return { am, service };
}

interface Reloaded extends Awaited<ReturnType<typeof started>> {
  readonly tokens: TokenShelf;
}

async function opened(session: object = {}, more: object = {}, mapping: object = MAPPING, before?: Reloaded) {
  const { am, service } = before ?? (await started());
  const bridge = await open(
    {
      services: {
        s: {
          url: service.url,
          mapping: "./m.yaml",
          auth: { session: { ...PINGAM, ...session } },
          on_failure: "DEFER ${cause}",
          retry: { attempts: 1 },
          timeout: "5s",
          deadline: "9s",
          ...more,
        },
      },
    },
    { "m.yaml": mapping },
    before === undefined ? {} : { tokens: before.tokens },
  );
  const detail = () => String(bridge.lines.at(-1)!.detail);
  const evaluations = () => service.calls.filter(({ url }) => url !== LOGIN);
  return { am, service, bridge, detail, evaluations };
}

describe("a session", () => {
  it("is begun once for all who ask at the same time, with an empty body, and shown as a cookie", async () => {
    const { am, service, bridge, evaluations } = await opened();
    const answers = await Promise.all(Array.from({ length: 40 }, () => bridge.ask()));
    expect(new Set(answers)).toEqual(new Set(["DUNNO"]));
    expect(am.logins).toBe(1);
    const login = service.calls.find(({ url }) => url === LOGIN)!;
    expect(login).toMatchObject({ method: "POST", text: "" });
    expect(login.headers["accept-api-version"]).toBe("resource=2.0, protocol=1.0");
    expect(new Set(evaluations().map(({ headers }) => headers.cookie))).toEqual(
      new Set([`iPlanetDirectoryPro=${tokenOf(1)}`]),
    );
    expect(evaluations().some(({ headers }) => headers["x-openam-password"] !== undefined)).toBe(false);
  });

  it("that the service ended is begun anew at a 401, and the call made once more", async () => {
    const { am, bridge, evaluations } = await opened();
    expect(await bridge.ask()).toBe("DUNNO");
    await sleep(1100);
    am.good = "nobody's";
    const answers = await Promise.all(Array.from({ length: 20 }, () => bridge.ask()));
    expect(new Set(answers)).toEqual(new Set(["DUNNO"]));
    expect(am.logins).toBe(2);
    expect(evaluations().length).toBe(41);
    expect(bridge.lines.at(-1)).toMatchObject({ source: "upstream", attempts: 2 });
  });

  it("is renewed behind the calls by what the reply says of its life, or the configuration", async () => {
    for (const expires of ["int(body.maxtime)", "2s"]) {
      const { am, bridge, evaluations } = await opened({ expires_in: expires });
      am.login = async () => {
        if (am.logins > 1) await sleep(250);
        am.good = tokenOf(am.logins);
        return { body: { tokenId: am.good, maxtime: "2" } };
      };
      am.evaluate = () => ({ body: [{ actions: { send: true } }] });
      const waits: number[] = [];
      const end = performance.now() + 3000;
      while (performance.now() < end) {
        const begun = performance.now();
        expect(await bridge.ask()).toBe("DUNNO");
        waits.push(performance.now() - begun);
        await sleep(5);
      }
      expect(am.logins).toBeGreaterThanOrEqual(2);
      expect(new Set(evaluations().map(({ headers }) => headers.cookie)).size).toBeGreaterThanOrEqual(2);
      expect(waits.filter((wait) => wait > 200).length).toBeLessThan(3);
    }
  });

  it("that a reply says is over, by an expression, is begun anew", async () => {
    const { am, bridge } = await opened({ expired: 'status == 200 && body.error == "session_expired"' });
    let over = false;
    am.evaluate = ({ headers }) =>
      over && headers.cookie?.includes("-1_") ? { body: { error: "session_expired" } } : undefined;
    expect(await bridge.ask()).toBe("DUNNO");
    await sleep(1100);
    over = true;
    expect(await bridge.ask()).toBe("DUNNO");
    expect(am.logins).toBe(2);
  });

  it("that is over each time is a failure, and not logged in for each call", async () => {
    const { am, bridge, detail, evaluations } = await opened({ expired: "body.gone == true" });
    am.evaluate = () => ({ body: { gone: true } });
    for (let n = 0; n < 10; n++) expect(await bridge.ask()).toBe("DEFER http_4xx");
    expect(detail()).toContain("the session is over, also of one that is new (auth.session.expired)");
    expect(am.logins).toBe(1);
    expect(evaluations().length).toBe(10);
  });

  it("is shown in a header as the configuration writes it", async () => {
    const { am, bridge, evaluations } = await opened({
      cookie: undefined,
      header: { name: "X-Session", value: "Session ${token};v=1" },
    });
    am.evaluate = () => ({ body: [{ actions: { send: true } }] });
    expect(await bridge.ask()).toBe("DUNNO");
    expect(evaluations()[0]!.headers["x-session"]).toBe(`Session ${tokenOf(1)};v=1`);
  });

  it("is the cookie that the login sets, among others, where no token is named", async () => {
    const { am, bridge, evaluations } = await opened({ token: undefined, cookie: "JSESSIONID" });
    am.login = () => ({
      status: 302,
      headers: {
        location: "/",
        "set-cookie": "seen=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT, JSESSIONID=abc123def; Path=/; HttpOnly",
      },
    });
    am.evaluate = () => ({ body: [{ actions: { send: true } }] });
    expect(await bridge.ask()).toBe("DUNNO");
    expect(evaluations()[0]!.headers.cookie).toBe("JSESSIONID=abc123def");
    am.login = () => ({ headers: { "set-cookie": "other=1" }, body: {} });
    const second = await opened({ token: undefined, cookie: "JSESSIONID" });
    second.am.login = am.login;
    expect(await second.bridge.ask()).toBe("DEFER bad_reply");
    expect(second.detail()).toContain("it sets no cookie JSESSIONID");
  });

  it("that somebody echoes is masked, as is the password", async () => {
    const { am, bridge } = await opened();
    am.evaluate = ({ headers }) => ({ status: 403, body: { you: headers.cookie, knew: PASSWORD } });
    expect(await bridge.ask()).toBe('REJECT {"you":"iPlanetDirectoryPro=***","knew":"***"}');
    expect(JSON.stringify(bridge.lines)).not.toMatch(/AQIC5wM|Ch4ng31t/);
  });

  it("is no part of what a reply is remembered by, nor is the password", async () => {
    const { am, bridge, evaluations } = await opened({ expires_in: "1s" }, { cache: {} });
    expect(await bridge.ask()).toBe("DUNNO");
    await sleep(1100);
    expect(await bridge.ask()).toBe("DUNNO");
    expect(evaluations().length).toBe(1);
    expect(am.logins).toBe(1);
  });
});

describe("a reload", () => {
  it("keeps the session unless something that it was had by is another now", async () => {
    const before: Reloaded = { ...(await started()), tokens: new TokenShelf() };
    const { am, service } = before;
    const reload = (session: object, more: object = {}) => opened(session, more, MAPPING, before);
    expect(await (await reload({})).bridge.ask()).toBe("DUNNO");
    const { bridge } = await reload({}, { on_failure: "DEFER later" });
    expect(await bridge.ask()).toBe("DUNNO");
    expect(am.logins).toBe(1);
    am.evaluate = ({ headers }) => ({ status: 403, body: { you: headers.cookie } });
    expect(await bridge.ask({ sender: "c@example.net" })).toBe('REJECT {"you":"iPlanetDirectoryPro=***"}');
    am.evaluate = null;
    am.password = "another-password";
    expect(await (await reload({ secrets: { password: "another-password" } })).bridge.ask()).toBe("DUNNO");
    expect(am.logins).toBe(2);
    expect(service.calls.filter(({ url }) => url === LOGIN).length).toBe(2);
  });

  it("keeps one that is over no longer than the service says", async () => {
    const before: Reloaded = { ...(await started()), tokens: new TokenShelf() };
    expect(await (await opened({}, {}, MAPPING, before)).bridge.ask()).toBe("DUNNO");
    before.am.good = "nobody's";
    await sleep(1100);
    expect(await (await opened({}, {}, MAPPING, before)).bridge.ask()).toBe("DUNNO");
    expect(before.am.logins).toBe(2);
  });
});

describe("a login that fails", () => {
  it("for a wrong password says which login, what the service said and what to do, and does not lock the account", async () => {
    const { am, bridge, detail, service, evaluations } = await opened();
    am.password = "another";
    for (let n = 0; n < 20; n++) expect(await bridge.ask()).toBe("DEFER http_4xx");
    expect(detail()).toBe(
      `no session: login at ${service.url}${LOGIN}: HTTP status 401: Authentication Failed; check what the login shows, and the account at the other side (auth.session)`,
    );
    await sleep(2500);
    expect(await bridge.ask()).toBe("DEFER http_4xx");
    expect(am.logins).toBe(1);
    expect(evaluations()).toEqual([]);
  });

  it("because it hangs keeps the deadline, and names it", async () => {
    const { am, bridge, detail, service } = await opened({}, { timeout: "300ms", deadline: "600ms" });
    am.login = () => new Promise<Answer>(() => {});
    const begun = performance.now();
    expect(await bridge.ask()).toBe("DEFER timeout");
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(detail()).toContain(`${service.url}${LOGIN}`);
  });

  it("has a circuit of its own, and the service's stays closed", async () => {
    const { am, bridge, detail, service } = await opened({}, { breaker: { open_for: "400ms" } });
    am.login = () => ({ status: 503, body: { message: "starting up" } });
    for (let n = 0; n < 3; n++) expect(await bridge.ask()).toBe("DEFER http_5xx");
    expect(detail()).toContain("HTTP status 503: starting up");
    expect(await bridge.ask()).toBe("DEFER circuit_open");
    expect(detail()).toContain(`no session: login at ${service.url}${LOGIN}: is not called for a while`);
    const opening = bridge.lines.find(({ msg }) => String(msg).startsWith("circuit opened: the login"));
    expect(opening).toMatchObject({ level: "warn", service: "s" });
    expect(am.logins).toBe(3);
    am.login = null;
    await sleep(500);
    expect(await bridge.ask()).toBe("DUNNO");
  });

  it.each([
    [
      "wants more than a password",
      { body: { authId: "eyJ0eXAi", callbacks: [{ type: "PasswordCallback" }] } },
      "body.tokenId is missing",
    ],
    ["gives no text", { body: { tokenId: { a: 1 } } }, "body.tokenId is no text, or empty"],
    ["gives what no cookie can carry", { body: { tokenId: "a;b\r\nc" } }, "no cookie can carry"],
    ["gives more than a token can be", { body: { tokenId: "x".repeat(9000) } }, "longer than 8192"],
    ["is a page", { headers: { "content-type": "text/html" }, body: "<html>" }, "no session can be read"],
    ["is no JSON", { headers: { "content-type": "application/json" }, body: "{" }, "not readable as JSON"],
    ["is not there", { status: 404 }, "check url, method and path of the login"],
  ])("because the reply %s", async (_, answer, message) => {
    const { am, bridge, detail, evaluations } = await opened();
    am.login = () => answer;
    expect(await bridge.ask()).toMatch(/^DEFER (?:bad_reply|http_4xx)$/);
    expect(detail()).toContain(message);
    expect(detail()).toContain("no session: login at");
    expect(evaluations()).toEqual([]);
  });

  it("by a SOAP Fault says the fault", async () => {
    const envelope = (fault: string) =>
      `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>${fault}</s:Fault></s:Body></s:Envelope>`;
    const { am, bridge, detail } = await opened();
    am.login = () => ({
      status: 500,
      headers: { "content-type": "text/xml" },
      body: envelope("<faultcode>s:Client</faultcode><faultstring>unknown user</faultstring>"),
    });
    for (let n = 0; n < 3; n++) expect(await bridge.ask()).toBe("DEFER http_4xx");
    expect(am.logins).toBe(1);
    expect(detail()).toContain(
      "HTTP status 500: a SOAP Fault Client: unknown user; check what the login shows",
    );
  });
});

describe("a mistake in session", () => {
  it.each([
    [{ cookie: undefined }, 'calls show the token in one of "header", "cookie" and "soap_header", got none'],
    [{ header: { name: "x", value: "${token}" } }, "got header and cookie"],
    [{ cookie: undefined, header: { name: "x", value: "Bearer" } }, "nothing in it is the token"],
    [
      { cookie: undefined, header: { name: "Host", value: "${token}" } },
      "the header host is set by the bridge",
    ],
    [{ cookie: undefined, header: { name: "x", value: "${toke}" } }, 'did you mean "token"?'],
    [{ cookie: "a b" }, "no name of a cookie"],
    [{ token: "body.tokenId +" }, "Unexpected token"],
    [{ token: "sender" }, '"sender" belongs to a policy request; here is only status, headers'],
    [{ expires_in: "5 minutes" }, "expected a duration such as 30m, or an expression"],
    [{ expired: "status" }, "a condition must be true or false"],
    [{ login: { path: "/x", headers: { a: "${secret.pasword}" } } }, 'did you mean "password"?'],
    [
      { login: { path: "/x", headers: { a: "${sender}" } } },
      "belongs to a policy request; here is only secret",
    ],
    [{ login: { path: "/x", json: {}, form: {} } }, "a call has one body"],
    [{ login: { url: "ftp://x" } }, "begins with https://"],
    [
      { cookie: undefined, token: "body.a", soap_header: "<a>${token}</a>" },
      "soap_header is a part of a SOAP envelope",
    ],
    [{ cookie: undefined, token: "body.a", soap_header: "<a>${token}</b>" }, "not well-formed XML"],
  ])("%j", async (session, message) => {
    await expect(opened(session)).rejects.toThrow(message);
  });

  it("is a mapping that sets the header itself", async () => {
    const mapping = { ...MAPPING, request: { ...MAPPING.request, headers: { Cookie: "a=b" } } };
    await expect(opened({}, {}, mapping)).rejects.toThrow("the mapping sets the header cookie itself");
  });
});
