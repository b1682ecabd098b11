/** The schemas for editors are those of today, and take what is shipped and shown. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { jsonSchemaText } from "../../src/config/json-schema.ts";
import { configSchema } from "../../src/config/schema.ts";
import { shippedMappings } from "../../src/mapping/find.ts";
import { mappingSchema } from "../../src/mapping/schema.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const validator = (file: string) => new Ajv({ strict: false }).compile(JSON.parse(read(file)));

describe("the schema of", () => {
  it("pfxbridge.yaml is that of today; if not: npm run schemas", async () => {
    await expect(jsonSchemaText("pfxbridge.yaml", configSchema)).toMatchFileSnapshot(
      join(ROOT, "mappings/pfxbridge.schema.json"),
    );
  });

  it("mappings is that of today; if not: npm run schemas", async () => {
    await expect(jsonSchemaText("A mapping of pfxbridge", mappingSchema)).toMatchFileSnapshot(
      join(ROOT, "mappings/mapping.schema.json"),
    );
  });

  it.each(shippedMappings())("mappings takes %s, which names it in its first line", (name) => {
    const text = read(`mappings/${name}.yaml`);
    expect(text).toMatch(/^# yaml-language-server: \$schema=mapping\.schema\.json\n/);
    const validate = validator("mappings/mapping.schema.json");
    expect(validate(parse(text)) ? [] : validate.errors).toEqual([]);
  });

  it.each([
    ["pfxbridge.yaml", "/usr/lib/pfxbridge/mappings/"],
    ["oci/pfxbridge.yaml", "../../mappings/"],
    ["compose/pfxbridge.yaml", "../../mappings/"],
  ])("pfxbridge.yaml takes deploy/%s, which names it in its first line", (file, folder) => {
    const text = read(join("deploy", file));
    expect(text).toMatch(/^# yaml-language-server: \$schema=(.*)\n/);
    expect(text.split("\n")[0]).toBe(`# yaml-language-server: $schema=${folder}pfxbridge.schema.json`);
    const validate = validator("mappings/pfxbridge.schema.json");
    expect(validate(parse(text)) ? [] : validate.errors).toEqual([]);
  });

  it("pfxbridge.yaml takes the configurations of README and deploy/doc", () => {
    const validate = validator("mappings/pfxbridge.schema.json");
    const pages = [
      read("README.md"),
      ...readdirSync(join(ROOT, "deploy/doc")).map((page) => read(`deploy/doc/${page}`)),
    ];
    const blocks = [...pages.join("\n").matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => text);
    const configurations = blocks
      .flatMap((text) => parseAllDocuments(text.replace(/…/g, "x")).map((d) => d.toJS()))
      .filter((value) => value?.services !== undefined);
    expect(configurations.length).toBeGreaterThan(3);
    for (const value of configurations) expect(validate(value) ? [] : validate.errors).toEqual([]);
  });

  it.each([
    ["an unknown key", { services: { corp: { url: "http://a", timout: "1s" } } }],
    ["a duration without a unit", { services: { corp: { url: "http://a", timeout: 5 } } }],
    ["a size in words", { services: { corp: { url: "http://a", max_reply_size: "1 MB" } } }],
  ])("pfxbridge.yaml refuses %s", (_name, value) => {
    expect(validator("mappings/pfxbridge.schema.json")(value)).toBe(false);
  });
});
