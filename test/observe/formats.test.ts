import { describe, expect, it } from "vitest";
import { lineFormat } from "../../src/observe/formats.ts";

const LINE =
  '{"level":"warn","time":"2026-01-01T00:00:00.000Z","sender":"a b=\\"c\\"\\n","none":null,"empty":"","list":[1,"x"],"services":{"corp one":"rest"},"msg":"decision"}\n';

describe("formats of the log", () => {
  it("journal has systemd's priority before the JSON", () => {
    const format = lineFormat("journal", false);
    expect(format(LINE)).toBe(`<4>${LINE}`);
    for (const [level, priority] of Object.entries({ debug: 7, info: 6, error: 3 })) {
      expect(format(`{"level":"${level}"}\n`)).toBe(`<${priority}>{"level":"${level}"}\n`);
    }
  });

  it("logfmt is one line of pairs, in which nothing that a client claims can pass for a pair", () => {
    expect(lineFormat("logfmt", false)(LINE)).toBe(
      'level=warn time=2026-01-01T00:00:00.000Z sender="a b=\\"c\\"\\n" none=null empty="" list=1,x services.corp_one=rest msg=decision\n',
    );
    const hostile = lineFormat("logfmt", false)(`${JSON.stringify({ sender: "x\u2028\u009b action=OK" })}\n`);
    expect(hostile.split("\n")).toHaveLength(2);
    expect(hostile).toMatch(/^sender="[^"\u2028\u009b]*"\n$/);
  });

  it("json is left as it is", () => expect(lineFormat("json", false)(LINE)).toBe(LINE));
});
