/**
 * SOAP servers that are not ours, with the same service on each. alice@example.net is permitted, fault@example.net
 * gets a Fault, and everyone else is denied with a reason that repeats both addresses.
 *
 * Document/literal, as authorization.wsdl describes it: PHP's SoapServer, the npm package `soap` and Spyne.
 * Rpc/encoded, with objects that are referred to: Apache Axis (axis.ts), SOAP::Lite and PHP's SoapServer.
 */
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { listen } from "soap";
import { type DaemonOptions, startDaemon } from "../daemon.ts";
import { freePort, temporaryFolder } from "../temporary.ts";

export type SoapVersion = "1.1" | "1.2";

export interface SoapServer {
  readonly url: string;
  stop(): Promise<void>;
}

const PATH = "/mail-authorization";
const FOLDER = import.meta.dirname;

/** A server that is a program: started with its port, and waited for. */
export async function startServer(
  options: (port: number) => Omit<DaemonOptions, "ready">,
  path = PATH,
): Promise<SoapServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}${path}`;
  // A kept connection would hold a server that serves one at a time.
  const ready = () => fetch(`${url}?wsdl`, { headers: { connection: "close" } });
  const daemon = await startDaemon({ ...options(port), ready });
  return { url, stop: async () => void (await daemon.stop()) };
}

async function wsdl(version: SoapVersion): Promise<string> {
  const description = await readFile(join(FOLDER, "authorization.wsdl"), "utf8");
  const binding = "http://schemas.xmlsoap.org/wsdl/soap";
  return version === "1.1" ? description : description.replace(`"${binding}/"`, `"${binding}12/"`);
}

/** PHP's SoapServer under PHP's own web server. */
export async function startPhpSoapServer(version: SoapVersion): Promise<SoapServer> {
  return startPhp("authorization.php", await wsdl(version), { SOAP_VERSION: version });
}

/** The same behind WS-Security and WS-Addressing: `bridge & co` has this password and shows it so, and nothing twice. */
export async function startSecuredPhpServer(password: string, kind: "text" | "digest"): Promise<SoapServer> {
  return startPhp("secured.php", await wsdl("1.1"), { PASSWORD: password, KIND: kind });
}

/** The same behind a login: `bridge & co` has this password; `?login` begins a session, `?end` ends all. */
export async function startSessionPhpServer(password: string): Promise<SoapServer> {
  return startPhp("session.php", await wsdl("1.1"), { PASSWORD: password });
}

/** The same with a PDP of XACML in SAML (xacml.php): the sender says what it answers. */
export async function startXacmlServer(version: "2.0" | "3.0"): Promise<SoapServer> {
  const description = join(FOLDER, version === "3.0" ? "xacml3.wsdl" : "xacml2.wsdl");
  return startPhp("xacml.php", await readFile(description, "utf8"), { XACML_VERSION: version });
}

/**
 * A script on PHP's SoapServer; it finds the description's path in WSDL.
 *
 * @param script in this folder, or an absolute path
 */
export async function startPhp(
  script: string,
  wsdlText: string,
  env: Readonly<Record<string, string>>,
): Promise<SoapServer> {
  const folder = await temporaryFolder();
  const description = join(folder.path, "service.wsdl");
  await writeFile(description, wsdlText);
  const server = await startPlainPhp(script, { ...env, WSDL: description });
  return {
    url: server.url,
    stop: async () => {
      await server.stop();
      await folder.remove();
    },
  };
}

/** PHP's SoapServer without a description, which makes it rpc/encoded. */
export function startPhpRpcServer(version: SoapVersion): Promise<SoapServer> {
  return startPlainPhp("authorization-rpc.php", { SOAP_VERSION: version });
}

function startPlainPhp(script: string, env: Readonly<Record<string, string>>): Promise<SoapServer> {
  return startServer((port) => ({
    command: "php",
    parameters: ["-S", `127.0.0.1:${port}`, resolve(FOLDER, script)],
    env,
  }));
}

/** Spyne, of the system's Python, under that one's own web server. */
export function startSpyneServer(version: SoapVersion): Promise<SoapServer> {
  return startServer((port) => ({
    command: "/usr/bin/python3",
    parameters: [join(FOLDER, "authorization.py")],
    env: { SOAP_VERSION: version, PORT: String(port) },
  }));
}

/** SOAP::Lite's own server. */
export function startSoapLiteServer(): Promise<SoapServer> {
  return startServer((port) => ({
    command: "/usr/bin/perl",
    parameters: [join(FOLDER, "authorization.pl")],
    env: { PORT: String(port) },
  }));
}

interface Check {
  readonly Sender: string;
  readonly Recipient: string;
}

/** What `soap` makes of a WS-Security block: an element with attributes has its text beside them. */
export interface Security {
  readonly UsernameToken: {
    readonly Username: string;
    readonly Password: { readonly $value: string };
    readonly Nonce: { readonly $value: string };
    readonly Created: string;
  };
}

/**
 * The npm package `soap` as a server, in the test's own process.
 *
 * @param knows whether WS-Security shows somebody who may ask
 */
export async function startNodeSoapServer(
  version: SoapVersion,
  knows?: (security: Security) => boolean,
): Promise<SoapServer> {
  const port = await freePort();
  const http = createServer((_request, response) => response.writeHead(404).end());
  http.listen(port, "127.0.0.1");
  await once(http, "listening");
  const check = ({ Sender: sender, Recipient: recipient }: Check) => {
    if (sender === "fault@example.net") throw { Fault: fault(version) };
    if (sender === "alice@example.net") return { Decision: "Permit" };
    return { Decision: "Deny", Reason: `${sender} may not write to ${recipient}` };
  };
  const server = listen(http, {
    path: PATH,
    xml: await wsdl(version),
    services: { MailAuthorization: { MailAuthorizationPort: { Check: check } } },
    forceSoap12Headers: version === "1.2",
  });
  if (knows !== undefined) server.authenticate = knows;
  return {
    url: `http://127.0.0.1:${port}${PATH}`,
    stop: async () => {
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
}

function fault(version: SoapVersion): object {
  return version === "1.1"
    ? { faultcode: "soap:Client", faultstring: "no such account" }
    : { Code: { Value: "soap:Sender" }, Reason: { Text: "no such account" } };
}
