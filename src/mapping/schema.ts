/** The shape of a mapping file: every key and its type. What the texts in it mean is compiled elsewhere. */
import { z } from "zod";
import { RULE_CAUSES } from "./rule-failure.ts";

const text = z.string().min(1);
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const scalars = z.union([scalar, z.array(scalar)]);
const headers = z.record(text, scalar.transform(String));
const soapVersion = z.enum(["1.1", "1.2"], { error: 'expected "1.1" or "1.2", in quotes' });

/** A call; logins are described alike. */
export const requestSchema = z.strictObject({
  method: text.optional(),
  path: z.string().optional(),
  headers: headers.optional(),
  query: z.record(text, z.unknown()).optional(),
  json: z.unknown().optional(),
  form: z.record(text, z.unknown()).optional(),
  text: z
    .strictObject({ content_type: text.optional(), escape: z.string().optional(), template: z.string() })
    .optional(),
  soap: z
    .strictObject({
      version: soapVersion.default("1.1"),
      action: z.string().optional(),
      body: text,
      header: text.optional(),
      addressing: z.boolean().optional(),
    })
    .optional(),
  omit_empty: z.boolean().optional(),
});

const rule = z
  .strictObject({
    when: text.optional(),
    action: text.optional(),
    failure: z.enum(RULE_CAUSES).optional(),
    detail: text.optional(),
  })
  .refine(({ action, failure }) => (action === undefined) !== (failure === undefined), {
    error: "a rule ends in an action or in a failure: one of the two",
  })
  .refine(({ failure, detail }) => detail === undefined || failure !== undefined, {
    error: "detail says what the log tells of a failure; a rule with an action has none",
  });

const body = { json: z.unknown().optional(), xml: text.optional(), soap: z.string().optional() };

const example = z
  .strictObject({
    name: text,
    request: z.record(text, z.union([scalar, z.array(z.string())])).default({}),
    expect: z
      .strictObject({
        ...body,
        method: text.optional(),
        path: z.string().optional(),
        query: z.record(text, scalars).optional(),
        headers: headers.optional(),
        form: z.record(text, scalars).optional(),
        text: z.string().optional(),
      })
      .optional(),
    reply: z
      .strictObject({
        ...body,
        status: z.int().min(100).max(599).default(200),
        headers: headers.default({}),
        text: z.string().optional(),
      })
      .refine((reply) => contents(reply) <= 1, { error: "a reply has one of json, xml, soap and text" })
      .optional(),
    action: text.optional(),
    failure: z.enum(RULE_CAUSES).optional(),
  })
  .refine((given) => given.action === undefined || given.failure === undefined, {
    error: "an example ends in an action or in a failure, not in both",
  })
  .refine((given) => given.action === undefined || given.reply !== undefined, {
    error: "an example with an action needs the reply that it comes from",
  })
  .refine((given) => given.reply === undefined || (given.action ?? given.failure) !== undefined, {
    error: "an example with a reply needs the action or the failure that comes of it",
  });

function contents(reply: { json?: unknown; xml?: unknown; soap?: unknown; text?: unknown }): number {
  return [reply.json, reply.xml, reply.soap, reply.text].filter((content) => content !== undefined).length;
}

const parameter = z.union([
  z
    .strictObject({
      default: z.unknown().optional(),
      example: z.unknown().optional(),
      description: z.string().optional(),
    })
    .refine((given) => given.default === undefined || given.example === undefined, {
      error: "examples run with the default; example is for a parameter that has none",
    }),
  z.null().transform(() => ({})),
]);

export const mappingSchema = z.strictObject({
  description: z.string().optional(),
  product: z.string().optional(),
  parameters: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a parameter's name is made of letters, digits and _"),
      parameter,
    )
    .default({}),
  presets: z.record(text, z.record(z.string(), z.unknown())).default({}),
  request: requestSchema,
  response: z.array(rule).min(1),
  allow: z.array(text).default([]),
  examples: z.array(example).default([]),
});

export type MappingDefinition = z.infer<typeof mappingSchema>;
export type ExampleDefinition = z.infer<typeof example>;
