import { describe, expect, it } from "vitest";
import { descriptorProblem, mostClients } from "../../src/postfix/descriptors.ts";

describe("file descriptors", () => {
  it.each([
    // files, for calls, for clients
    [1024, 256, 704],
    [20_000, 256, 19_680],
    // Too few for all: a client causes one call at a time.
    [1024, 1000, 480],
    [256, 256, 96],
    [128, 256, 32],
    [Number.POSITIVE_INFINITY, 256, Number.POSITIVE_INFINITY],
  ])("of %i, with %i for calls, are %i for clients", (files, calls, clients) => {
    expect(mostClients(calls, files)).toBe(clients);
  });

  it("that are too few to begin with are a problem that says what to do", () => {
    expect(descriptorProblem(128)).toBeUndefined();
    expect(descriptorProblem(127)).toMatch(/^only 127 files may be open .* at least 128 .*LimitNOFILE/);
  });
});
