import { describe, expect, it } from "vitest";
import { sectionFor } from "../../src/mapping/guide.ts";

const GUIDE = [
  "# Mappings",
  "",
  "| [authzen.yaml](authzen.yaml) | [what it asks](#what-authzen-asks) |",
  "| [soap.yaml](soap.yaml), [soap12.yaml](soap12.yaml) | [SOAP](#21-soap-the-old-one) |",
  "| [lost.yaml](lost.yaml) | [nowhere](#nowhere) |",
  "",
  "## What authzen asks",
  "A question.",
  "### In detail",
  "More.",
  "```sh",
  "# opa eval",
  "```",
  "## 2.1 SOAP: the old one",
  "Angles.",
  "## Cerbos, by its own API",
  "Roles.",
  "## xacml",
  "Axes.",
  "# weakforced",
  "Force.",
].join("\n");

describe("the section about a mapping", () => {
  it.each([
    ["authzen", "## What authzen asks\nA question.\n### In detail\nMore.\n```sh\n# opa eval\n```"],
    ["soap", "## 2.1 SOAP: the old one\nAngles."],
    ["soap12", "## 2.1 SOAP: the old one\nAngles."],
    ["cerbos", "## Cerbos, by its own API\nRoles."],
    ["xacml-json", "## xacml\nAxes."],
    ["xacml2-soap", "## xacml\nAxes."],
    ["weakforced", "# weakforced\nForce."],
    ["opa", null],
    ["lost", null],
    ["rest", null],
  ])("of %s", (name, section) => {
    expect(sectionFor(name, GUIDE)).toBe(section);
  });
});
