/**
 * `proxy` of a service, or what the environment says of proxies, as curl(1) documents it: http_proxy, https_proxy, all_proxy
 * and no_proxy, in small letters or capitals. HTTP_PROXY is passed over where REQUEST_METHOD is set: there it may be a
 * header of a request (CGI). Loopback is never reached through the environment's proxy.
 */
import { BlockList, isIP } from "node:net";
import { isLoopback } from "../model/loopback.ts";
import { environmentVariable } from "../source/contents.ts";
import type { Path } from "../source/position.ts";
import type { HttpProxy } from "../upstream/transport/proxy.ts";
import { readTlsFiles } from "../upstream/transport/tls-files.ts";
import type { ProxyConfig, ProxySettings } from "./config.ts";
import { readSecret } from "./credentials.ts";
import type { Masker } from "./masker.ts";
import type { Report } from "./report.ts";
import type { RawService } from "./schema.ts";
import { Secret } from "./secret.ts";

const NONE: ProxyConfig = { http: null, https: null, exempt: [], fromEnvironment: false };

/** What a service's calls go by. */
export function readProxy(raw: RawService["proxy"], path: Path, report: Report, masker: Masker): ProxyConfig {
  if (raw === false) return NONE;
  if (raw === undefined) return environmentProxies(path, report, masker);
  const { url, username, password, ca } = typeof raw === "string" ? { url: raw } : raw;
  const at = typeof raw === "string" ? path : [...path, "url"];
  const parsed = parseProxy(url);
  if (typeof parsed === "string") {
    report.error(at, parsed);
    return NONE;
  }
  const own = credentialsIn(parsed, masker);
  if (own !== null && (username !== undefined || password !== undefined)) {
    report.error(at, "the credentials stand twice: in the URL, and beside it");
    return NONE;
  }
  if ((username === undefined) !== (password === undefined)) {
    report.error(path, '"username" and "password" belong together', { key: true });
    return NONE;
  }
  if (username !== undefined && /[:\u0000-\u001f\u007f]/.test(username)) {
    report.error([...path, "username"], "a user name for a proxy holds no colon (RFC 7617)");
    return NONE;
  }
  const secret = password === undefined ? null : readSecret(password, [...path, "password"], report, masker);
  if (password !== undefined && secret === null) return NONE;
  secret?.follow(() => masker.add(`${username}:${secret.reveal()}`));
  const file = ca === undefined ? undefined : report.resolve(ca);
  if (file !== undefined) {
    try {
      readTlsFiles({ ca: file });
    } catch (error) {
      const why = error instanceof Error ? error.message.replace(/^tls\.ca/, "it") : String(error);
      report.error([...path, "ca"], `this file cannot be used: ${why}`);
      return NONE;
    }
  }
  const credentials = own ?? (secret && username !== undefined ? { username, password: secret } : null);
  const settings: ProxySettings = {
    url: parsed.origin,
    ...(credentials && { credentials }),
    ...(file !== undefined && { ca: file }),
  };
  return { http: settings, https: settings, exempt: [], fromEnvironment: false };
}

function environmentProxies(path: Path, report: Report, masker: Masker): ProxyConfig {
  const read = (name: string): ProxySettings | null => {
    const lower = `${name}_proxy`;
    const upper = lower.toUpperCase();
    const isOfRequest = name === "http" && process.env.REQUEST_METHOD !== undefined;
    for (const variable of isOfRequest ? [lower] : [lower, upper]) {
      const value = environmentVariable(variable);
      if (value === undefined || value === "") continue;
      const parsed = parseProxy(value.includes("://") ? value : `http://${value}`);
      if (typeof parsed === "string") {
        const message = `the environment variable ${variable} names no proxy that can be used: ${parsed}; correct it, or set proxy: false`;
        report.error(path.slice(0, -1), message, { key: true });
        return null;
      }
      const credentials = credentialsIn(parsed, masker);
      return { url: parsed.origin, ...(credentials && { credentials }) };
    }
    return null;
  };
  const all = read("all");
  const [http, https] = [read("http") ?? all, read("https") ?? all];
  if (http === null && https === null) return NONE;
  const exempt = environmentVariable("no_proxy") ?? environmentVariable("NO_PROXY") ?? "";
  return {
    http,
    https,
    exempt: exempt.split(/[\s,]+/).filter((entry) => entry !== ""),
    fromEnvironment: true,
  };
}

/** Never quotes what stands there, which may hold a password. */
function parseProxy(text: string): URL | string {
  if (/^socks/i.test(text)) return "SOCKS proxies are not spoken; an HTTP proxy is";
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    return "expected the URL of a proxy, as in http://proxy.example.com:3128";
  }
  const url = new URL(text);
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    return "the URL of a proxy ends after its port, as in http://proxy.example.com:3128";
  }
  return url;
}

function credentialsIn(url: URL, masker: Masker): ProxySettings["credentials"] | null {
  if (url.username === "" && url.password === "") return null;
  const [username, password] = [decoded(url.username), decoded(url.password)];
  for (const value of [password, url.password, `${username}:${password}`]) masker.add(value);
  return { username, password: new Secret(password) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The proxy by which a URL is reached, or null where it is reached directly. */
export function proxyFor(config: ProxyConfig, url: URL): HttpProxy | null {
  const settings = url.protocol === "https:" ? config.https : url.protocol === "http:" ? config.http : null;
  if (settings === null) return null;
  if (config.fromEnvironment && (isLoopback(url.hostname) || isExempt(config.exempt, url))) return null;
  const { protocol, hostname, port, host } = new URL(settings.url);
  const { credentials, ca } = settings;
  const isSecure = protocol === "https:";
  return {
    url: `${protocol}//${host}`,
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port) || (isSecure ? 443 : 80),
    tls: isSecure ? readTlsFiles(ca === undefined ? {} : { ca }) : null,
    authorization: () =>
      credentials &&
      `Basic ${Buffer.from(`${credentials.username}:${credentials.password.reveal()}`, "utf8").toString("base64")}`,
  };
}

/** Whether `no_proxy` names a URL's host: `*`, a name with all below it, an address or network, each perhaps with a port. */
export function isExempt(entries: readonly string[], url: URL): boolean {
  const host = url.hostname
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return entries.some((entry) => {
    if (entry === "*") return true;
    // An address of IPv6 has a port only behind brackets.
    const bare = isIP(entry.split("/")[0]!) === 6;
    const [, bracketed, plain, wanted] = bare
      ? []
      : (/^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? []);
    const name = (bare ? entry : (bracketed ?? plain ?? "")).toLowerCase();
    if (name === "" || (wanted !== undefined && wanted !== port)) return false;
    if (name.includes("/")) return isIn(name, host);
    const version = isIP(name);
    if (version !== 0) return isIP(host) === version && isIn(`${name}/${version === 4 ? 32 : 128}`, host);
    const suffix = name.replace(/^\*?\.+/, "").replace(/\.$/, "");
    return isIP(host) === 0 && suffix !== "" && (host === suffix || host.endsWith(`.${suffix}`));
  });
}

function isIn(network: string, host: string): boolean {
  const [address = "", length = ""] = network.split("/");
  const version = isIP(address);
  const prefix = Number(length);
  if (
    version === 0 ||
    isIP(host) !== version ||
    !/^\d+$/.test(length) ||
    prefix > (version === 4 ? 32 : 128)
  ) {
    return false;
  }
  const family = version === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(address, prefix, family);
  return list.check(host, family);
}
