/** `serve --stdio` that cannot start: its standard streams stay silent, the log file or syslog says why. */
import { chmod, readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { logLines, run, Site } from "./program.ts";

describe("serve --stdio that cannot start", () => {
  it("says why in log.file, and nothing on its streams", async () => {
    const site = await Site.create({
      "pfxbridge.yaml": { log: { file: "bridge.log" }, route: [], services: {} },
    });
    expect(await run(["serve", "--stdio", "-c", site.config])).toEqual({ status: 1, stdout: "", stderr: "" });
    const lines = logLines(await readFile(site.path("bridge.log"), "utf8"));
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: "error",
        msg: expect.stringMatching(/:\d+:1: error: unknown key "route"/),
      }),
    );
    expect(lines.at(-1)).toMatchObject({ msg: "not started" });
  });

  it("says it once where the log was open already", async () => {
    const services = { corp: { url: "http://127.0.0.1:1", mapping: "./broken.mjs" } };
    const site = await Site.create({
      "pfxbridge.yaml": { log: { file: "bridge.log" }, services },
      "broken.mjs": "throw 1",
    });
    expect((await run(["serve", "--stdio", "-c", site.config])).status).toBe(1);
    const lines = logLines(await readFile(site.path("bridge.log"), "utf8"));
    expect(lines.filter(({ msg }) => msg === "not started")).toHaveLength(1);
  });

  it("says it to syslog, by logger(1), where there is no log file", async () => {
    const site = await Site.create({ "pfxbridge.yaml": { route: [] } });
    const logger = site.path("logger");
    await writeFile(logger, `#!/bin/sh\nprintf '%s\\n' "$*" >> ${site.path("said")}\n`);
    await chmod(logger, 0o755);
    const env = { PATH: `${site.folder}:${process.env.PATH}` };
    const ended = await run(["serve", "--stdio", "-c", site.config], { env });
    expect(ended).toEqual({ status: 1, stdout: "", stderr: "" });
    expect(await readFile(site.path("said"), "utf8")).toMatch(
      /^-p mail\.err -t pfxbridge -- not started: \S+pfxbridge\.yaml:\d+:1: error: unknown key "route"/,
    );
  });
});
