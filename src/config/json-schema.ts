/**
 * The shapes of pfxbridge.yaml and of mappings as JSON Schema, for completion and checks in an editor. The files are
 * mappings/pfxbridge.schema.json and mappings/mapping.schema.json: `npm run schemas` writes them.
 */
import { z } from "zod";
import { DURATION, formatDuration, formatSize, SIZE } from "./duration.ts";

/** The text of a schema file. */
export function jsonSchemaText(title: string, schema: z.ZodType): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    target: "draft-7",
    // zod leaves out the default of what is read into something else: milliseconds, bytes.
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      if (def.type !== "default" || typeof def.defaultValue !== "number") return;
      if (jsonSchema.pattern === DURATION.pattern) jsonSchema.default = formatDuration(def.defaultValue);
      if (jsonSchema.pattern === SIZE.pattern) jsonSchema.default = formatSize(def.defaultValue);
    },
  });
  return `${JSON.stringify({ $schema, title, ...rest }, null, 1)}\n`;
}
