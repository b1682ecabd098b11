import { expect, it } from "vitest";
import { readIdentity } from "../../src/explain/identify.ts";

it.each([
  ["mx1-1f3a9c2e", "1f3a9c2e", "mx1"],
  ["(ref mx1-1F3A9C2E)", "1f3a9c2e", "mx1"],
  ["ref mx-out-2-1f3a9c2e", "1f3a9c2e", "mx-out-2"],
  ["3f2a9c2e1b4d-1f3a9c2e", "1f3a9c2e", "3f2a9c2e1b4d"],
  ["1f3a9c2e", "1f3a9c2e", undefined],
  ["1f3a9c2e-12", "1f3a9c2e-12", undefined],
  ["1f3a9c2e-1234-4abc-9", "1f3a9c2e-1234-4abc-9", undefined],
  ["1f3a9c2e-1234-4abc-9def-0123456789ab", "1f3a9c2e-1234-4abc-9def-0123456789ab", undefined],
])("reads %s", (text, id, host) => {
  expect(readIdentity(text)).toEqual({ id, host });
});

it.each([
  "",
  "1f3a9c2",
  "mx1-1f3a9c2",
  "mx1-1f3a9c2e0",
  "-1f3a9c2e",
  ".*-........",
  "mx1-1f3a9c2g",
  "a host-1f3a9c2e",
  "1f3a9c2e-1234-4abc-9def-0123456789ab0",
  "x".repeat(10_000_000),
])("knows %.40s for none", (text) => {
  expect(readIdentity(text)).toBeNull();
});
