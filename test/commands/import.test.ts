import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { description } from "../import/descriptions.ts";
import { run, Site } from "./program.ts";

const AUTHZEN = description("openapi/authzen.yaml");

describe("pfxbridge import", () => {
  it("lists the operations where none is named, and says how to go on", async () => {
    const { status, stdout, stderr } = await run(["import", "openapi", description("openapi/opa.yaml")]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toBe(
      [
        "  putPolicy            PUT /v1/policies/{id}",
        "* getDocumentWithPath  POST /v1/data/{path}: Get a document",
        "",
        `* asks for a decision, most likely. Then: pfxbridge import openapi ${description("openapi/opa.yaml")} --operation getDocumentWithPath -o mine.yaml`,
        "",
      ].join("\n"),
    );
  });

  it("writes the mapping to standard output, and the choices beside it", async () => {
    const { status, stdout, stderr } = await run(["import", "openapi", AUTHZEN, "--operation", "evaluation"]);
    expect(status).toBe(0);
    expect(parse(stdout).response).toHaveLength(2);
    expect(stderr).toContain(
      `read: ${AUTHZEN}\nthe mapping: 8 to choose, and until then nobody is permitted:\n`,
    );
    const lines = stdout.split("\n");
    const told = [...stderr.matchAll(/^ {2}line (\d+): (.*)$/gm)];
    expect(told).toHaveLength(8);
    for (const [, line, what] of told) expect(lines[Number(line) - 1]?.trim()).toBe(`# CHOOSE: ${what}`);
  });

  it("writes no file over", async () => {
    const site = await Site.create({ "mine.yaml": "mine\n" });
    const { status, stderr } = await run([
      "import",
      "openapi",
      AUTHZEN,
      "--operation",
      "evaluation",
      "-o",
      site.path("mine.yaml"),
    ]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `${site.path("mine.yaml")}: error: it exists, and is not written over\n`,
    });
    expect(readFileSync(site.path("mine.yaml"), "utf8")).toBe("mine\n");
  });

  it.each([
    ["no kind", ["import"], /expected `wsdl` or `openapi`, and a file or URL/],
    ["another kind", ["import", "grpc", "x"], /expected `wsdl` or `openapi`, and a file or URL/],
    ["no source", ["import", "wsdl"], /expected one file or URL/],
    [
      "a file but no operation",
      ["import", "openapi", AUTHZEN, "-o", "/nonexistent/x"],
      /which operation\? Say it with --operation/,
    ],
  ])("is used wrongly with %s", async (_, args, expected) => {
    const { status, stderr } = await run(args);
    expect(status).toBe(2);
    expect(stderr).toMatch(expected);
  });

  it.each([
    [
      "a file that is not there",
      ["wsdl", "/nonexistent/x.wsdl"],
      "/nonexistent/x.wsdl: error: it does not exist\n",
    ],
    [
      "an operation that is not there",
      ["openapi", AUTHZEN, "--operation", "evaluatoin"],
      `${AUTHZEN}: error: there is no operation "evaluatoin"; did you mean "evaluation"? there are: evaluation\n`,
    ],
  ])("fails with %s", async (_, args, expected) => {
    expect(await run(["import", ...args])).toEqual({ status: 1, stdout: "", stderr: expected });
  });
});
