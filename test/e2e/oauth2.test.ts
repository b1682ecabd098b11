/** OAuth 2.0 with a real authorization server, oidc-provider, over TLS: each way to show who the client is. */
import { afterEach, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { CLIENT_SECRET, type OidcServer, startOidcServer } from "../support/oidc.ts";
import { AuthorizationService } from "../support/service.ts";
import { freePort } from "../support/temporary.ts";

const MAPPING = {
  request: { path: "/check", json: { sender: "${sender}" } },
  response: [{ when: "status == 200", action: "DUNNO" }],
};
const MAIL = { sender: "alice@example.net", recipient: "bob@example.org" };

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop();
});

/** A service that asks the authorization server whether a token is good. */
async function serviceOf(oidc: OidcServer): Promise<AuthorizationService & { clients: string[] }> {
  const clients: string[] = [];
  const service = await AuthorizationService.start(async ({ headers }) => {
    const token = /^Bearer (\S+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
    const { active, client_id = "" } = await oidc.introspect(token);
    if (active) clients.push(client_id);
    return { status: active ? 200 : 401, body: {} };
  });
  open.push(service);
  return Object.assign(service, { clients });
}

async function bridgeTo(
  oidc: OidcServer,
  service: AuthorizationService,
  client: object,
  more: { readonly config?: object; readonly files?: object } = {},
): Promise<{ bridge: Bridge; port: number }> {
  const port = await freePort();
  const oauth2 = { issuer: oidc.issuer, scope: "mail", tls: { ca: oidc.ca }, ...client };
  const bridge = await startBridge({
    config: {
      listen: [`inet:127.0.0.1:${port}`],
      services: {
        s: { url: service.url, mapping: "./m.yaml", auth: { oauth2 }, on_failure: "DEFER ${cause}" },
      },
      ...more.config,
    },
    files: { "m.yaml": MAPPING, secret: `${CLIENT_SECRET}\n`, ...more.files },
  });
  open.push(bridge);
  return { bridge, port };
}

it.each([
  ["basic", () => ({ client_secret: { file: "secret" } })],
  ["post", () => ({ client_secret: { file: "secret" }, method: "client_secret_post" })],
  ["rsa", () => ({ private_key: { file: "rsa.pem" } })],
  ["ec", () => ({ private_key: { file: "ec.pem" } })],
  ["certificate", ({ ca, client }: OidcServer) => ({ tls: { ca, ...client } })],
] as const)("gets a token as the client %s", async (name, credentials) => {
  const oidc = await startOidcServer(600);
  open.push(oidc);
  const service = await serviceOf(oidc);
  const files = { "rsa.pem": oidc.keys.rsa, "ec.pem": oidc.keys.ec };
  const { bridge, port } = await bridgeTo(
    oidc,
    service,
    { client_id: name, ...credentials(oidc) },
    { files },
  );
  for (let n = 0; n < 3; n++) expect(await ask(port, MAIL)).toBe("DUNNO");
  expect(service.clients).toEqual([name, name, name]);
  await expect.poll(() => bridge.decisions().length, LOGGED).toBe(3);
});

it("says what is wrong with a client that is not known, and with a scope that it does not get", async () => {
  const oidc = await startOidcServer(600);
  open.push(oidc);
  const service = await serviceOf(oidc);
  const secret = { client_secret: { file: "secret" } };
  for (const [client, message] of [
    [{ client_id: "revoked", ...secret }, "invalid_client"],
    [{ client_id: "basic", ...secret, scope: "everything" }, "invalid_scope"],
  ] as const) {
    const { bridge, port } = await bridgeTo(oidc, service, client);
    expect(await ask(port, MAIL)).toBe("DEFER http_4xx");
    await expect.poll(() => bridge.decisions().length, LOGGED).toBe(1);
    expect(String(bridge.decisions()[0]!.detail)).toContain(`no token: ${oidc.issuer}/token: ${message}`);
    expect(JSON.stringify(bridge.log())).not.toContain(CLIENT_SECRET);
  }
});

it("gives each worker a token of its own, renewed while it is used", async () => {
  const oidc = await startOidcServer(3);
  open.push(oidc);
  const service = await serviceOf(oidc);
  const client = { client_id: "basic", client_secret: { file: "secret" } };
  const { port } = await bridgeTo(oidc, service, client, { config: { workers: 2 } });
  const end = performance.now() + 6000;
  while (performance.now() < end) {
    expect(await Promise.all([ask(port, MAIL), ask(port, MAIL)])).toEqual(["DUNNO", "DUNNO"]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(new Set(service.calls.map(({ headers }) => headers.authorization)).size).toBeGreaterThan(2);
}, 30_000);
