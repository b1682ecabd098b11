import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { loadControl } from "../../src/config/control.ts";
import { parseConfig } from "../../src/config/load.ts";
import { formatProblem, ProblemError } from "../../src/source/problem.ts";

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pfxbridge-control-"));
  file = join(folder, "pfxbridge.yaml");
  writeFileSync(join(folder, "token"), "s3cret-token\n", { mode: 0o600 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SERVICE = "services: { corp: { url: https://authz.example.com } }\n";

describe("control", () => {
  it("is a path: for the socket's owner alone, with its state beside it", async () => {
    const { control } = await parseConfig(`${SERVICE}control: unix:/srv/mail/control`, file);
    expect(control).toEqual({
      endpoint: { kind: "unix", path: "/srv/mail/control" },
      mode: 0o600,
      state: "/srv/mail/control.state.json",
    });
  });

  describe("keeps its state where it outlives a restart of the machine", () => {
    afterEach(() => vi.unstubAllEnvs());
    const stateOf = async (control: string) =>
      (await parseConfig(`${SERVICE}control: ${control}`, file)).control;

    it.each([
      ["unix:/run/pfxbridge/control", "/run/pfxbridge/control.state.json"],
      ["unix:/var/run/control", "/var/run/control.state.json"],
      ["{ endpoint: inet:127.0.0.1:9997, token: abcdefgh }", undefined],
    ])("for %s", async (control, formerState) => {
      vi.stubEnv("STATE_DIRECTORY", undefined);
      const state = "/var/lib/pfxbridge/pfxbridge.state.json";
      expect(await stateOf(control)).toMatchObject({ state, ...(formerState && { formerState }) });
      vi.stubEnv("STATE_DIRECTORY", "/var/lib/other:/var/lib/second");
      expect(await stateOf(control)).toMatchObject({ state: "/var/lib/other/pfxbridge.state.json" });
    });

    it("also a store on disk that names no file", async () => {
      vi.stubEnv("STATE_DIRECTORY", "/var/lib/other");
      const text = "services: { corp: { url: https://authz.example.com, cache: { store: lmdb } } }";
      const { services } = await parseConfig(text, file);
      expect(services.get("corp")?.cache?.store).toEqual({ kind: "lmdb", path: "/var/lib/other/cache.lmdb" });
    });
  });

  it("is a table: rights, a token, and the state relative to the configuration", async () => {
    const text = `control: { endpoint: "unix:/run/c", mode: "0660", owner: root, group: adm, token: { file: token }, state: kept.json }`;
    const { control } = await parseConfig(SERVICE + text, file);
    expect(control).toMatchObject({
      mode: 0o660,
      owner: "root",
      group: "adm",
      state: join(folder, "kept.json"),
    });
    expect(control?.token?.reveal()).toBe("s3cret-token");
  });

  it("is nowhere by default", async () => {
    expect(await parseConfig(SERVICE, file)).not.toHaveProperty("control");
  });

  it.each([
    [
      "inet without a token",
      "control: inet:127.0.0.1:9997",
      "2:10: error: on this machine anybody can connect to an inet: endpoint, so it needs a token",
    ],
    ["no endpoint", "control: { mode: '0600' }", '2:1: error: "endpoint" is missing'],
    ["a relative path", "control: unix:control", "2:10: error: the socket path"],
    [
      "a mode for inet",
      "control: { endpoint: inet:9997, token: abcdefgh, state: s, mode: '0600' }",
      '2:60: error: "mode" is of use only for a unix: socket',
    ],
    [
      "Postfix's own endpoint",
      "listen: [unix:/run/p]\ncontrol: unix:/run/p",
      "3:10: error: this endpoint stands under listen as well",
    ],
    [
      "a misspelt key",
      "control: { endpoint: 'unix:/run/c', tokn: a }",
      'unknown key "tokn"; did you mean "token"?',
    ],
  ])("is refused: %s", async (_, text, message) => {
    const problems = await parseConfig(SERVICE + text, file).then(
      () => [],
      (error: unknown) =>
        error instanceof ProblemError ? error.problems.map(formatProblem) : [String(error)],
    );
    expect(problems.join("\n")).toContain(message);
  });

  it.each([
    [
      "a token in the clear",
      "inet:192.0.2.1:9997, token: abcdefgh, state: s",
      "crosses the network in the clear",
    ],
  ])("warns of %s", async (_, settings, message) => {
    const { warnings } = await parseConfig(`${SERVICE}control: { endpoint: ${settings} }`, file);
    expect(warnings.map((warning) => warning.message).join()).toContain(message);
  });
});

describe("finding the running bridge", () => {
  it("needs no more of the configuration than control", () => {
    writeFileSync(
      file,
      "servces: { oops: 1 }\ncontrol: { endpoint: 'unix:/run/c', token: { file: token } }\n",
      {
        mode: 0o600,
      },
    );
    expect(loadControl(file)).toMatchObject({ endpoint: { kind: "unix", path: "/run/c" } });
  });

  it("finds none where none is configured", () => {
    writeFileSync(file, SERVICE, { mode: 0o600 });
    expect(loadControl(file)).toBeUndefined();
  });

  it("says where the mistake is", () => {
    writeFileSync(file, "control: { endpoint: 'unix:run/c' }\n", { mode: 0o600 });
    expect(() => loadControl(file)).toThrow(/:1:22: error: the socket path/);
  });
});
