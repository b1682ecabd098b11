/** The configuration as the rest of the bridge sees it: plain data, everything resolved, nothing left to check. */
import type { StoreChoice } from "../cache/store-pool.ts";
import type { Condition } from "../expression/expression.ts";
import type { Template } from "../expression/template.ts";
import type { LoadedMapping } from "../mapping/load.ts";
import type { Login } from "../mapping/login.ts";
import type { UsernameToken } from "../mapping/render/ws-security.ts";
import type { Cause } from "../model/failure.ts";
import type { PersonalAttribute, PolicyRequest } from "../model/request.ts";
import type { LogFormat } from "../observe/formats.ts";
import type { SyslogTarget } from "../observe/syslog/target.ts";
import type { Endpoint } from "../postfix/endpoint.ts";
import type { Problem } from "../source/problem.ts";
import type { KeyAlgorithm, Thumbprints } from "../upstream/tokens/client-key.ts";
import type { TlsOptions } from "../upstream/transport/tls-options.ts";
import type { OnFailure } from "./on-failure.ts";
import type { Secret } from "./secret.ts";

/** All times are in milliseconds, all sizes in bytes, all paths absolute. */
export interface Config {
  readonly file: string;
  /** Every file that was read for it, itself among them, but for what a module imports; empty for a text. */
  readonly files: readonly string[];
  readonly listeners: readonly ListenerConfig[];
  readonly services: ReadonlyMap<string, ServiceConfig>;
  /** Never empty; only the last has no condition. */
  readonly routes: readonly RouteConfig[];
  /** Whether no call is made at all, or the services to which none is made. */
  readonly offline: boolean | readonly string[];
  /** Absent: the bridge takes no commands while it runs. */
  readonly control?: ControlConfig;
  /** Absent: nothing of it is seen from outside but the log. */
  readonly admin?: AdminConfig;
  /** Processes that answer requests; 1: this one, and no other. */
  readonly workers: number;
  readonly user?: string;
  readonly group?: string;
  readonly log: LogConfig;
  /** Takes every secret of this configuration out of a text. */
  readonly mask: (text: string) => string;
  readonly warnings: readonly Problem[];
}

export interface ListenerConfig {
  readonly endpoint: Endpoint;
  /** `listener` in expressions. */
  readonly name: string;
  /** Of a socket file, as are owner and group. */
  readonly mode?: number;
  readonly owner?: string;
  readonly group?: string;
  /** It is meant that others than this machine can reach it. */
  readonly strangers?: true;
}

/** Where commands reach the running bridge. */
export interface ControlSocket {
  readonly endpoint: Endpoint;
  /** Of a socket file, as are owner and group. */
  readonly mode: number;
  readonly owner?: string;
  readonly group?: string;
  /** What every command must show; always there for an inet endpoint. */
  readonly token?: Secret;
}

export interface ControlConfig extends ControlSocket {
  /** Where what was switched by hand is kept. */
  readonly state: string;
  /** Where it was kept before, if that is another place. */
  readonly formerState?: string;
}

/** Where the bridge is seen from outside: over TCP on loopback, or with `tls` and a token or password anywhere. */
export interface AdminConfig {
  readonly endpoint: Endpoint;
  /** Of a socket file, as are owner and group. */
  readonly mode: number;
  readonly owner?: string;
  readonly group?: string;
  readonly token?: Secret;
  readonly basic?: { readonly username: string; readonly password: Secret };
  /** A certificate with its chain, and its key: PEM. */
  readonly tls?: { readonly cert: string; readonly key: Secret };
}

/** Attributes that one asker can be told from another by. */
export type FairBy = "client_address" | "sasl_username";

export interface ServiceConfig {
  readonly name: string;
  /** At least one; tried in this order. */
  readonly urls: readonly string[];
  /** To be instantiated once the process has given up root's rights, since a module runs code. */
  readonly mapping: LoadedMapping;
  readonly timeout: number;
  readonly deadline: number;
  /** Instead of `deadline`, for requests of a Postfix under stress. */
  readonly stressDeadline: number;
  readonly retry: { readonly attempts: number; readonly backoff: number; readonly maxBackoff: number };
  readonly breaker: {
    /** In percent. */
    readonly failureRate: number;
    readonly minimumCalls: number;
    readonly window: number;
    readonly openFor: number;
  };
  readonly maxInFlight: number | "auto";
  /** By what one asker is told from another, so that none gets more than a share; false: nobody is. */
  readonly fair: FairBy | false;
  /** Calls at once on a connection of HTTP/1.1. */
  readonly pipelining: number;
  readonly http2: boolean;
  /** Whether each call says what trace it belongs to. */
  readonly traceparent: boolean;
  readonly maxReplySize: number;
  readonly maxConnectionAge: number;
  readonly onFailure: OnFailure;
  /** Fixed headers, names in lower case. A value that is no secret is a string. */
  readonly headers: Readonly<Record<string, string | Secret>>;
  /** `secret.NAME` of the mapping's request. */
  readonly secrets: Readonly<Record<string, Secret>>;
  readonly auth: AuthConfig;
  readonly tls: TlsConfig;
  readonly proxies: ProxyConfig;
  /** The name of a service at a socket file. */
  readonly host?: string;
  /** The service says itself where it is asked by AuthZEN; at `address`, if not where that is usual. */
  readonly discover?: { readonly address?: URL };
  /** AuthZEN calls that go out together: how many at most, and how long they wait for each other. Absent: none do. */
  readonly batch?: { readonly max: number; readonly wait: number };
  /** Absent: nothing is remembered. */
  readonly cache?: CacheConfig;
  /** Requests that are asked again before what is remembered of them grows old. */
  readonly warm: readonly PolicyRequest[];
}

/**
 * How the bridge shows who it is:
 *
 *     auth: { basic: { username: bridge, password: { file: /etc/pfxbridge/password } } }
 *     auth: { bearer: { env: AUTHZ_TOKEN } }
 *     auth: { api_key: { header: X-Api-Key, key: { file: /etc/pfxbridge/key } } }
 *     auth: { oauth2: { issuer: https://login.example.com, client_id: bridge, client_secret: { file: secret } } }
 *     auth: { session: { login: { path: /login, json: { … } }, token: body.token, cookie: session } }
 *     auth: { ws_security: { username: bridge, password: { credential: soap }, type: digest } }
 */
export type AuthConfig =
  | { readonly kind: "none" }
  | { readonly kind: "basic"; readonly username: string; readonly password: Secret }
  | { readonly kind: "bearer"; readonly token: Secret }
  | ApiKey
  | OAuth2
  | Session
  | { readonly kind: "ws_security"; readonly token: UsernameToken; readonly password: Secret };

/** A key as the value of a header, whose name is in lower case, or of a query parameter. */
export interface ApiKey {
  readonly kind: "api_key";
  readonly in: "header" | "query";
  readonly name: string;
  readonly key: Secret;
}

/** A login of the service's own (mapping/login.ts). */
export interface Session {
  readonly kind: "session";
  /** Where it logs in; tried in this order. */
  readonly urls: readonly string[];
  readonly login: Login;
  readonly secrets: Readonly<Record<string, Secret>>;
  /** In lower case: those in which calls show what it gave. */
  readonly headerNames: readonly string[];
  /** Instead of what the reply says. */
  readonly lifetime?: number;
  /** As written, without the secrets' values. */
  readonly definition: string;
  /** Of one attempt to log in. Absent: the service's. */
  readonly timeout?: number;
  readonly tls: TlsConfig;
  /** Is told each token, from when on it is masked. */
  readonly onToken: (token: string) => void;
}

/** Tokens by client credentials (RFC 6749 §4.4). */
export interface OAuth2 {
  readonly kind: "oauth2";
  readonly server: { readonly tokenUrl: string } | { readonly issuer: string };
  readonly clientId: string;
  readonly proof: OAuth2Proof;
  /** scope, audience and the like. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Of one attempt at the token endpoint. Absent: the service's. */
  readonly timeout?: number;
  readonly tls: TlsConfig;
  /** Is told each token, from when on it is masked. */
  readonly onToken: (token: string) => void;
}

export type OAuth2Proof =
  | { readonly method: "client_secret_basic" | "client_secret_post"; readonly secret: Secret }
  | { readonly method: "tls_client_auth" }
  | {
      readonly method: "private_key_jwt";
      readonly key: Secret;
      readonly passphrase?: Secret;
      readonly keyId?: string;
      /** By which the server knows the key: `x5t` and `x5t#S256` of RFC 7515. */
      readonly thumbprints?: Thumbprints;
      readonly algorithm?: KeyAlgorithm;
      readonly audience?: string;
    };

/** One proxy as it is to be spoken to. */
export interface ProxySettings {
  /** Scheme, host and port. */
  readonly url: string;
  readonly credentials?: { readonly username: string; readonly password: Secret };
  /** A file, PEM. */
  readonly ca?: string;
}

/** By which proxy URLs of each scheme are reached, and which hosts are reached without. */
export interface ProxyConfig {
  readonly http: ProxySettings | null;
  readonly https: ProxySettings | null;
  /** As in `no_proxy`. */
  readonly exempt: readonly string[];
  /** Then loopback is reached without. */
  readonly fromEnvironment: boolean;
}

/** Paths of files, and what else TLS connections are made with. */
export interface TlsConfig extends Omit<TlsOptions, "passphrase" | "checkEvery"> {
  readonly passphrase?: Secret;
}

export interface RouteConfig {
  /** Its place in the configuration, from 1. */
  readonly number: number;
  readonly when: Condition | null;
  readonly target:
    | { readonly action: string }
    /** A service of `services`, with its own on_failure unless the route has another. */
    | { readonly service: string; readonly onFailure: OnFailure };
}

export interface LogConfig {
  readonly level: "debug" | "info" | "warn" | "error";
  /** Absent: `pretty` where stdout is a terminal. */
  readonly format?: LogFormat;
  readonly file?: string;
  readonly syslog?: SyslogTarget;
  /** Of decisions, by verb, reply code or source: the part, from 0 to 1, that has a line. */
  readonly sample?: ReadonlyMap<string, number>;
  readonly redact?: RedactConfig;
  /** How many decisions are kept to be explained; 0: none. */
  readonly explain: number;
  readonly reference: {
    /** This host, as references say it. */
    readonly host: string;
    /** Whether refusals end with their reference. */
    readonly isTold: boolean;
  };
}

/** What the log does not show as it is. */
export interface RedactConfig {
  readonly fields: readonly PersonalAttribute[];
  /** Of the hash in its place; absent: it is masked. */
  readonly key?: Secret;
}

/** Times in milliseconds. */
export interface CacheConfig extends StoreChoice {
  readonly ttl: number;
  /** The longest that a reply's own Cache-Control may ask for. */
  readonly maxTtl: number;
  readonly staleIfError: number;
  /** Causes for which a reply past its ttl answers. */
  readonly staleCauses: ReadonlySet<Cause>;
  /** `permit`, `deny`, or verbs. */
  readonly only: ReadonlySet<string>;
  /** Replaces the call as what two requests must have in common to share a reply. */
  readonly key: Template | null;
  readonly secret: Secret | null;
  /** Replaces a DUNNO that comes from a reply past its ttl. */
  readonly markStale: string | null;
}
