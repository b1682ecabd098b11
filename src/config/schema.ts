/** The shape of the configuration file: every key, its type, its default. What keys mean together is load.ts's. */
import { z } from "zod";
import { requestSchema } from "../mapping/schema.ts";
import { CAUSES } from "../model/failure.ts";
import { PERSONAL_ATTRIBUTES } from "../model/request.ts";
import { FORMATS } from "../observe/formats.ts";
import { FACILITIES, type Facility, HEADERS } from "../observe/syslog/target.ts";
import { KEY_ALGORITHMS } from "../upstream/tokens/client-key.ts";
import { TLS_VERSIONS } from "../upstream/transport/tls-options.ts";
import { duration, size } from "./duration.ts";

const text = z.string().min(1);
const whole = (minimum: number, maximum: number) => z.int().min(minimum).max(maximum);

/** A secret is a string or says where it is kept; its message never shows what stands there. */
const secret = z.union(
  [text, z.strictObject({ env: text }), z.strictObject({ file: text }), z.strictObject({ credential: text })],
  { error: "expected a secret: a text in quotes, { env: NAME } or { file: PATH }, or { credential: NAME }" },
);

const mode = z
  .string({ error: 'expected a file mode in quotes, such as "0660"' })
  .regex(/^0?[0-7]{3}$/, { error: 'expected a file mode in quotes, such as "0660"' });

const listener = z.union([
  text,
  z.strictObject({
    endpoint: text,
    name: text.optional(),
    mode: mode.optional(),
    owner: text.optional(),
    group: text.optional(),
    strangers: z.boolean().optional(),
  }),
]);

const control = z.union([
  text,
  z.strictObject({
    endpoint: text,
    mode: mode.optional(),
    owner: text.optional(),
    group: text.optional(),
    token: secret.optional(),
    state: text.optional(),
  }),
]);

const admin = z.union([
  text,
  z.strictObject({
    endpoint: text,
    mode: mode.optional(),
    owner: text.optional(),
    group: text.optional(),
    token: secret.optional(),
    basic: z.strictObject({ username: text, password: secret }).optional(),
    tls: z.strictObject({ cert: text, key: text }).optional(),
  }),
]);

const action = z.string();
const onFailure = z.union([
  action,
  z.strictObject({
    ...Object.fromEntries(CAUSES.map((cause) => [cause, action.optional()])),
    default: action.optional(),
  }),
]);

const tls = z.strictObject({
  ca: text.optional(),
  cert: text.optional(),
  key: text.optional(),
  pkcs12: text.optional(),
  passphrase: secret.optional(),
  min_version: z.enum(TLS_VERSIONS).optional(),
  ciphers: text.optional(),
  legacy: z.boolean().default(false),
  server_name: text.optional(),
});

const texts = z.union([text, z.array(text).min(1)]);

const oauth2 = z.strictObject({
  token_url: text.optional(),
  issuer: text.optional(),
  client_id: text,
  client_secret: secret.optional(),
  private_key: secret.optional(),
  passphrase: secret.optional(),
  method: z
    .enum(["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth"])
    .optional(),
  key_id: text.optional(),
  certificate: text.optional(),
  algorithm: z.enum(KEY_ALGORITHMS).optional(),
  assertion_audience: text.optional(),
  scope: texts.optional(),
  audience: text.optional(),
  resource: texts.optional(),
  parameters: z.record(text, z.union([z.string(), z.number(), z.boolean()])).default({}),
  timeout: duration(1).optional(),
  tls: tls.optional(),
});

const session = z.strictObject({
  login: requestSchema.extend({ url: texts.optional() }),
  secrets: z.record(z.string(), secret).default({}),
  token: text.optional(),
  expires_in: text.optional(),
  expired: text.optional(),
  header: z.strictObject({ name: text, value: text }).optional(),
  cookie: text.optional(),
  soap_header: text.optional(),
  timeout: duration(1).optional(),
  tls: tls.optional(),
});

const service = z.strictObject({
  url: z.union([text, z.array(text).min(1)]),
  mapping: z
    .union([
      text,
      z.strictObject({
        use: text,
        preset: text.optional(),
        with: z.record(z.string(), z.unknown()).default({}),
      }),
    ])
    .default("authzen"),
  timeout: duration(1).default(1000),
  deadline: duration(1).default(3000),
  stress_deadline: duration(1).optional(),
  retry: z
    .strictObject({
      attempts: whole(1, 20).default(3),
      backoff: duration(0).default(50),
      max_backoff: duration(0).optional(),
    })
    .prefault({}),
  breaker: z
    .strictObject({
      failure_rate: z.number().min(1).max(100).default(50),
      minimum_calls: whole(1, 1_000_000).default(20),
      window: duration(1000).default(10_000),
      open_for: duration(1).default(5000),
    })
    .prefault({}),
  max_in_flight: z
    .union([whole(1, 100_000), z.literal("auto")], { error: "expected a number from 1 to 100000, or auto" })
    .default(256),
  fair: z
    .union([z.enum(["client_address", "sasl_username"]), z.literal(false)], {
      error: "expected client_address, sasl_username or false",
    })
    .default("client_address"),
  pipelining: whole(1, 100).default(1),
  http2: z.boolean().default(false),
  traceparent: z.boolean().default(true),
  max_reply_size: size().default(1024 * 1024),
  max_xml_size: size().default(64 * 1024),
  max_json_size: size().default(256 * 1024),
  max_connection_age: duration(1000).default(5 * 60_000),
  on_failure: onFailure.default("fail-closed"),
  headers: z.record(z.string(), secret).default({}),
  secrets: z.record(z.string(), secret).default({}),
  auth: z
    .strictObject({
      basic: z.strictObject({ username: text, password: secret }).optional(),
      bearer: secret.optional(),
      api_key: z
        .union(
          [z.strictObject({ header: text, key: secret }), z.strictObject({ query: text, key: secret })],
          {
            error: "expected { header: NAME, key: SECRET } or { query: NAME, key: SECRET }",
          },
        )
        .optional(),
      oauth2: oauth2.optional(),
      session: session.optional(),
      ws_security: z
        .strictObject({
          username: text,
          password: secret,
          type: z.enum(["text", "digest"]).default("digest"),
          nonce: z.boolean().optional(),
          created: z.boolean().optional(),
          timestamp: duration(1000).optional(),
          must_understand: z.boolean().default(true),
        })
        .optional(),
    })
    .optional(),
  discover: z
    .union([z.literal("authzen"), z.strictObject({ authzen: text })], {
      error: "expected authzen, or { authzen: URL } with the address of the service's document",
    })
    .optional(),
  batch: z.strictObject({ max: whole(2, 1000).default(50), wait: duration(0).default(2) }).optional(),
  cache: z
    .strictObject({
      store: text.default("memory"),
      ttl: duration(0).default(60_000),
      max_ttl: duration(0).optional(),
      stale_if_error: duration(0).default(24 * 3600_000),
      stale_causes: z.array(z.enum(CAUSES)).default([]),
      max_entries: whole(1, 1_000_000_000).default(100_000),
      only: z.array(text).min(1).default(["permit", "deny"]),
      key: text.optional(),
      timeout: duration(1).default(50),
      secret: secret.optional(),
      mark_stale: text.optional(),
    })
    .optional(),
  warm: text.optional(),
  host: text.optional(),
  proxy: z
    .union(
      [
        z.literal(false),
        text,
        z.strictObject({
          url: text,
          username: text.optional(),
          password: secret.optional(),
          ca: text.optional(),
        }),
      ],
      { error: "expected the URL of a proxy, { url: …, username: …, password: … }, or false" },
    )
    .optional(),
  tls: tls.prefault({}),
});

const route = z.strictObject({
  when: text.optional(),
  service: text.optional(),
  action: action.optional(),
  on_failure: onFailure.optional(),
});

const syslog = z.union([
  text,
  z.strictObject({
    to: text,
    facility: z.enum(Object.keys(FACILITIES) as [Facility, ...Facility[]]).optional(),
    app_name: z
      .string()
      .regex(/^[\x21-\x7e]{1,48}$/, {
        error: "expected up to 48 visible characters of ASCII, without a blank",
      })
      .optional(),
    header: z.enum(HEADERS).optional(),
    tls: z
      .strictObject({
        ca: text.optional(),
        cert: text.optional(),
        key: text.optional(),
        server_name: text.optional(),
      })
      .optional(),
  }),
]);

const personal = z.array(z.enum(PERSONAL_ATTRIBUTES)).min(1);
const redact = z.union([personal, z.strictObject({ fields: personal, key: secret })], {
  error: `expected a list of ${PERSONAL_ATTRIBUTES.join(", ")}, or { fields: […], key: SECRET }`,
});

export const configSchema = z.strictObject({
  listen: z.array(listener).min(1).default(["inet:127.0.0.1:9998"]),
  /** Keys of each service that has them not: defaults.ts puts them there beforehand, and here they are only checked. */
  defaults: service.omit({ url: true }).partial().optional(),
  services: z.record(z.string(), service).default({}),
  routes: z.array(route).min(1).optional(),
  offline: z
    .union([z.boolean(), z.array(text)], { error: "expected true, false or a list of services" })
    .default(false),
  control: control.optional(),
  admin: admin.optional(),
  workers: z
    .union([whole(1, 256), z.literal("auto")], { error: "expected a number from 1 to 256, or auto" })
    .default(1),
  user: text.optional(),
  group: text.optional(),
  log: z
    .strictObject({
      level: z.enum(["debug", "info", "warn", "error"]).default("info"),
      format: z.enum(FORMATS).optional(),
      file: text.optional(),
      syslog: syslog.optional(),
      sample: z.record(z.string(), z.number().min(0).max(1)).optional(),
      redact: redact.optional(),
      explain: whole(0, 100_000).default(1000),
      reference: z
        .union([z.boolean(), z.strictObject({ host: text })], {
          error: "expected true, false or { host: NAME }",
        })
        .default(false),
    })
    .prefault({}),
});

export type RawConfig = z.output<typeof configSchema>;
export type RawListener = z.output<typeof listener>;
export type RawControl = z.output<typeof control>;
export type RawAdmin = z.output<typeof admin>;
export type RawSyslog = z.output<typeof syslog>;
export type RawService = z.output<typeof service>;
export type RawRoute = z.output<typeof route>;
export type RawSecret = z.output<typeof secret>;
/** What may stand at `on_failure`: a word or an action, or a table by cause. */
export type RawOnFailure = string | Readonly<Record<string, string | undefined>>;
