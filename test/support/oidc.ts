/** oidc-provider as an authorization server, a process of its own (oidc/server.mjs), over TLS by an authority of its own. */
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { type KeyPair, TestAuthority } from "../upstream/certificates.ts";
import { startDaemon } from "./daemon.ts";
import { freePort } from "./temporary.ts";

export const CLIENT_SECRET = "a-secret-of-32-characters-or-more";

export interface OidcServer {
  readonly issuer: string;
  /** The authority that signed its certificate, and that of the client called `certificate`: files. */
  readonly ca: string;
  readonly client: KeyPair;
  /** The private keys of the clients `rsa` and `ec`, PEM. */
  readonly keys: Readonly<Record<"rsa" | "ec", string>>;
  /** Whether a token is good, as it says itself, and whose. */
  introspect(token: string): Promise<{ readonly active: boolean; readonly client_id?: string }>;
  stop(): Promise<void>;
}

/** @param lifetime of a token, in seconds */
export async function startOidcServer(lifetime: number): Promise<OidcServer> {
  const authority = new TestAuthority();
  const port = await freePort();
  const server = authority.issue("oidc", "DNS:localhost");
  const client = authority.issue("certificate", "DNS:bridge");
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const common = {
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
    scope: "mail",
  };
  const keyOf = (key: typeof rsa, alg: string) => ({
    jwks: { keys: [{ ...key.publicKey.export({ format: "jwk" }), alg, use: "sig" }] },
    token_endpoint_auth_method: "private_key_jwt",
    token_endpoint_auth_signing_alg: alg,
  });
  const secret = { client_secret: CLIENT_SECRET };
  const clients = [
    { client_id: "basic", ...secret, token_endpoint_auth_method: "client_secret_basic" },
    { client_id: "post", ...secret, token_endpoint_auth_method: "client_secret_post" },
    { client_id: "rsa", ...keyOf(rsa, "RS256") },
    { client_id: "ec", ...keyOf(ec, "ES256") },
    {
      client_id: "certificate",
      token_endpoint_auth_method: "tls_client_auth",
      tls_client_auth_subject_dn: "CN=certificate",
    },
    { client_id: "reader", ...secret, token_endpoint_auth_method: "client_secret_basic" },
  ].map((each) => ({ ...common, ...each }));
  const told = { port, cert: server.cert, key: server.key, ca: authority.certificate, clients, lifetime };
  const ca = readFileSync(authority.certificate);
  const daemon = await startDaemon({
    command: process.execPath,
    parameters: [join(import.meta.dirname, "oidc/server.mjs")],
    env: { PFXBRIDGE_OIDC: JSON.stringify(told) },
    ready: () => post(port, ca, "/token", ""),
  });
  const pem = (key: typeof rsa) => key.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return {
    issuer: `https://localhost:${port}`,
    ca: authority.certificate,
    client,
    keys: { rsa: pem(rsa), ec: pem(ec) },
    introspect: async (token) => {
      const text = await post(port, ca, "/token/introspection", `token=${encodeURIComponent(token)}`);
      return JSON.parse(text);
    },
    stop: async () => {
      await daemon.stop();
      authority.remove();
    },
  };
}

function post(port: number, ca: Buffer, path: string, form: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const basic = Buffer.from(`reader:${CLIENT_SECRET}`).toString("base64");
    const headers = {
      authorization: `Basic ${basic}`,
      "content-type": "application/x-www-form-urlencoded",
    };
    request({ host: "localhost", port, path, method: "POST", ca, headers, agent: false }, (reply) => {
      let text = "";
      reply.on("data", (chunk) => {
        text += chunk;
      });
      reply.on("end", () => resolve(text));
    })
      .on("error", reject)
      .end(form);
  });
}
