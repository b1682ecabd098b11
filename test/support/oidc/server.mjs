/**
 * oidc-provider as an authorization server in a process of its own, over TLS, with a client for each way to show who it is.
 * What it is told in PFXBRIDGE_OIDC: port, files of its certificate, of the authority of clients' certificates, clients.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const { port, cert, key, ca, clients, lifetime } = JSON.parse(process.env.PFXBRIDGE_OIDC);
const issuer = `https://localhost:${port}`;

const provider = new Provider(issuer, {
  clients,
  clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth"],
  scopes: ["mail", "everything"],
  ttl: { ClientCredentials: lifetime },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      getCertificate: (ctx) => {
        const { raw } = ctx.socket.getPeerCertificate();
        return raw === undefined ? undefined : ctx.socket.getPeerX509Certificate();
      },
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => {
        const { subject } = ctx.socket.getPeerCertificate();
        return property === "tls_client_auth_subject_dn" && expected === `CN=${subject.CN}`;
      },
    },
  },
});
provider.on("server_error", (_ctx, error) => console.error(error));

const options = { cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(ca) };
createServer({ ...options, requestCert: true, rejectUnauthorized: false }, provider.callback()).listen(
  port,
  "127.0.0.1",
  () => console.log("listening"),
);
