import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findConfig } from "../../src/config/find.ts";

const before = process.cwd();
let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "pfxbridge-find-")));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

describe("findConfig", () => {
  it("takes the one that is named", () => {
    expect(findConfig("other.yaml", true)).toBe(join(folder, "other.yaml"));
  });

  it("takes the one in the working directory", () => {
    writeFileSync("pfxbridge.yaml", "");
    expect(findConfig(undefined, false)).toBe(join(folder, "pfxbridge.yaml"));
  });

  it.skipIf(existsSync("/etc/pfxbridge/pfxbridge.yaml"))(
    "takes none from the working directory as root",
    () => {
      writeFileSync("pfxbridge.yaml", "");
      expect(() => findConfig(undefined, true)).toThrow("used only when named: -c pfxbridge.yaml");
    },
  );

  it.skipIf(existsSync("/etc/pfxbridge/pfxbridge.yaml"))("says how to name one when there is none", () => {
    expect(() => findConfig(undefined, false)).toThrow("name a configuration with -c FILE");
  });
});
