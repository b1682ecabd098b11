/** The documents keep their word: what stands there as a mapping or a configuration is one. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { configSchema } from "../../src/config/schema.ts";
import { loadMapping } from "../../src/mapping/load.ts";
import { isFailure } from "../../src/mapping/mapping.ts";
import { ProblemError } from "../../src/source/problem.ts";
import { reply } from "../mapping/replies.ts";
import { blocks } from "../support/blocks.ts";
import { loadShipped, requestOf } from "./shipped.ts";

const guide = await readFile(new URL("../../mappings/README.md", import.meta.url), "utf8");
const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
const PAGES = new URL("../../deploy/doc/", import.meta.url);
const pages = await Promise.all(
  (await readdir(PAGES)).map(async (name) => ({ name, text: await readFile(new URL(name, PAGES), "utf8") })),
);
const reference = pages.find(({ name }) => name === "configuration.md")?.text ?? "";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pfxbridge-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the guide to mappings", () => {
  const mappings = blocks(guide, "yaml mapping");

  it("has a mapping for each step", () => {
    expect(mappings.length).toBeGreaterThanOrEqual(8);
  });

  it.each(mappings)("$title: loads without a warning and passes its examples", async ({ title, text }) => {
    const file = join(folder, `${title.replaceAll(/[^a-z]+/gi, "-")}.yaml`);
    await writeFile(file, text, { mode: 0o600 });
    const loaded = await loadMapping({ name: title, file, parameters: {} });
    expect(loaded.warnings).toEqual([]);
    const results = await loaded.check();
    expect(results.length).toBeGreaterThan(0);
    expect(results.filter(({ passed }) => !passed)).toEqual([]);
  });

  describe("each YAML trap", () => {
    const rows = [...guide.matchAll(/^\| `((?:when|action|json): .*?)` \| .*? \| `(.*)` \|$/gm)];
    const traps = rows.map(([, trap = "", remedy = ""]) => ({ trap, remedy }));

    async function loadWith(line: string): Promise<readonly unknown[]> {
      const or = (key: string, other: string) => (line.startsWith(`${key}:`) ? line : `${key}: ${other}`);
      const rule = `  - ${or("when", "body.a == true")}\n    ${or("action", "DUNNO")}\n`;
      const file = join(folder, "trap.yaml");
      await writeFile(file, `request:\n  ${or("json", "{}")}\nresponse:\n${rule}`, { mode: 0o600 });
      return (await loadMapping({ name: "trap", file, parameters: {} })).warnings;
    }

    it("is in the table", () => {
      expect(traps.length).toBeGreaterThanOrEqual(8);
    });

    it.each(traps)("is refused, and its remedy is not: $trap", async ({ trap, remedy }) => {
      await expect(loadWith(trap)).rejects.toBeInstanceOf(ProblemError);
      await expect(loadWith(remedy)).resolves.toBeDefined();
    });

    it("that is none, a rule that only denies, is warned of", async () => {
      expect(await loadWith(`when: '!(body.decision == "Deny")'`)).toHaveLength(1);
    });
  });

  it("has a module that works", async () => {
    const file = join(folder, "mine.mjs");
    await writeFile(file, blocks(guide, "js")[0]?.text ?? "", { mode: 0o600 });
    const mapping = await (await loadMapping({ name: "mine", file, parameters: {} })).instantiate();
    const request = requestOf({ sender: "a@example.net" });
    expect(await mapping.render(request)).toMatchObject({
      method: "POST",
      path: "/check",
      body: "a@example.net",
    });
    expect(await mapping.interpret(reply(200, "fine"), request)).toMatchObject({ action: "DUNNO" });
    expect(await mapping.interpret(reply(200, "no"), request)).toMatchObject({
      action: "REJECT 5.7.1 Not authorized",
    });
  });

  it("shows the question that authzen asks", async () => {
    const shown: unknown = JSON.parse(blocks(guide, "json")[0]?.text ?? "");
    const request = requestOf({
      protocol_state: "RCPT",
      sasl_method: "PLAIN",
      sasl_username: "alice",
      sender: "alice@example.com",
      recipient: "bob@example.org",
      client_address: "192.0.2.7",
    });
    const call = await (await loadShipped("authzen")).render({
      ...request,
      listener: "inet:127.0.0.1:9998",
    });
    expect(isFailure(call) ? call : JSON.parse(call.body ?? "")).toEqual(shown);
  });

  it("names every parameter of authzen", async () => {
    const source = parse(await readFile(new URL("../../mappings/authzen.yaml", import.meta.url), "utf8"));
    for (const name of Object.keys(source.parameters)) expect(guide).toContain(`\`${name}\``);
  });
});

function isTable(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

describe("README.md and the pages of deploy/doc", () => {
  const documents = [{ name: "README.md", text: readme }, ...pages];
  const configurations = documents.flatMap(({ name, text }) =>
    blocks(text, "yaml")
      .filter((block) => block.text.includes("services:"))
      .map((block) => ({ ...block, name })),
  );

  it("show configurations, in README too", () => {
    expect(configurations.filter(({ name }) => name === "README.md").length).toBeGreaterThanOrEqual(2);
    expect(configurations.length).toBeGreaterThanOrEqual(7);
  });

  it.each(configurations)("$name has a configuration under $title that is one", ({ text }) => {
    expect(configSchema.safeParse(parse(text)).error?.issues ?? []).toEqual([]);
  });

  it("README has a mapping in its quick start that is one", async () => {
    const text = blocks(readme, "yaml").find((block) => block.text.startsWith("request:"))?.text ?? "";
    const file = join(folder, "quick-start.yaml");
    await writeFile(file, text, { mode: 0o600 });
    expect((await loadMapping({ name: "mine", file, parameters: {} })).warnings).toEqual([]);
  });

  it("list every key of the configuration", () => {
    const everything = { url: "http://a", cache: {}, batch: {}, warm: "requests.ndjson" };
    const service = configSchema.parse({ services: { a: everything } }).services.a ?? {};
    const below = Object.values(service).flatMap((value) => (isTable(value) ? Object.keys(value) : []));
    const keys = [...Object.keys(configSchema.shape), ...Object.keys(service), ...below];
    for (const key of keys) expect(reference).toMatch(new RegExp(`^\\|.*[\`.]${key}[\`.\\[]`, "m"));
  });

  it.each([
    ["timeout", 1000],
    ["deadline", 3000],
    ["retry.attempts", 3],
    ["retry.backoff", 50],
    ["breaker.failure_rate", 50],
    ["breaker.minimum_calls", 20],
    ["breaker.window", 10_000],
    ["breaker.open_for", 5000],
    ["max_in_flight", 256],
    ["max_connection_age", 300_000],
  ])("give the default of %s as it is", (key, value) => {
    const service: unknown = configSchema.parse({ services: { a: { url: "http://a" } } }).services.a;
    const actual = key.split(".").reduce((at, name) => (at as Record<string, unknown>)[name], service);
    expect(actual).toBe(value);
    const shown =
      new RegExp(`^\\| \`services\\.NAME\\.${key}\` \\| \`([^\`]+)\``, "m").exec(reference)?.[1] ?? "";
    const [, count, unit = ""] = /^(\d+)(ms|s|m)?$/.exec(shown) ?? [];
    expect(Number(count) * ({ s: 1000, m: 60_000 }[unit] ?? 1)).toBe(value);
  });
});
