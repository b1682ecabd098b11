/** Somebody tries tokens, one after the other and many at once. */
import { describe, expect, it } from "vitest";
import { run } from "../commands/program.ts";
import { ask, bearer, controlled, TOKEN } from "./control-site.ts";

describe("wrong tokens", () => {
  it("are answered late, and logged, but do not fill the log; the right one is taken at once meanwhile", async () => {
    const { bridge, port } = await controlled();
    const begin = performance.now();
    const guesses = Array.from({ length: 30 }, async (_, n) => {
      const { status } = await ask(port, { headers: bearer(`guess-${n}`) });
      return { status, late: performance.now() - begin >= 900 };
    });
    expect(await ask(port, { headers: bearer(TOKEN) })).toMatchObject({ status: 200 });
    const answers = await Promise.all(guesses);
    expect(answers.every(({ status, late }) => status === 401 && late)).toBe(true);
    await ask(port, { headers: bearer("one more") });
    const lines = bridge.log.filter(({ msg }) => /wrong token/.test(String(msg)));
    expect(lines).toMatchObject([{ level: "warn", from: "127.0.0.1" }]);
    expect(bridge.stdout).not.toContain("guess-");
  });

  it("are not made easy: a short one is an error", async () => {
    const { site, write } = await controlled();
    await write({ endpoint: "inet:127.0.0.1:9997", token: "short", state: "state.json" });
    const { status, stderr } = await run(["check", "-c", site.config]);
    expect(status).toBe(1);
    expect(stderr).toContain("a token has at least 8 characters");
  });
});
