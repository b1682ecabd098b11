import { describe, expect, it } from "vitest";
import { type Endpoint, parseEndpoint } from "../../src/postfix/endpoint.ts";
import { type GivenSocket, GivenSockets } from "../../src/postfix/given-sockets.ts";

function at(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  if ("problem" in endpoint) throw new Error(endpoint.problem);
  return endpoint;
}

const wanted = (text: string, name = text) => ({ endpoint: at(text), name });
const given = (descriptor: number, name: string, text?: string): GivenSocket => ({
  descriptor,
  name,
  endpoint: text === undefined ? undefined : at(text),
});

describe("the environment", () => {
  it.each<[string, NodeJS.ProcessEnv]>([
    ["no sockets", {}],
    ["sockets of another process", { LISTEN_PID: "1", LISTEN_FDS: "1" }],
    ["no number", { LISTEN_PID: "77", LISTEN_FDS: "many" }],
  ])("hands over nothing: %s", (_, variables) => {
    const env = { PATH: "/bin", LISTEN_FDNAMES: "a", ...variables };
    expect(GivenSockets.fromEnvironment(env, 77).assign([])).toBeUndefined();
    expect(env).toEqual({ PATH: "/bin" });
  });

  it("names what is no listening socket so", () => {
    const sockets = GivenSockets.fromEnvironment({ LISTEN_PID: "77", LISTEN_FDS: "1" }, 77);
    // Whatever descriptor 3 of the test's own process is, it is no policy listener.
    expect(sockets.assign([wanted("inet:9998")])).toMatch(/^systemd hands over "unknown" \(.*it names inet:/);
  });
});

describe("which socket is for which endpoint", () => {
  it("goes by the address before it goes by the name", () => {
    const sockets = new GivenSockets([given(3, "policy", "inet:9999"), given(4, "policy", "inet:9998")]);
    const both = [wanted("inet:9998", "policy"), wanted("inet:9999", "other")];
    expect(sockets.assign(both)).toBeUndefined();
    expect(both.map(({ endpoint }) => sockets.take(endpoint)?.descriptor)).toEqual([4, 3]);
  });

  it.each([
    ["inet:[0:0::1]:9998", "inet:[::1]:9998"],
    ["inet:localhost:9998", "inet:[::1]:9998"],
    ["inet:localhost:9998", "inet:127.0.0.1:9998"],
    ["unix:/run/a", "unix:/run/a"],
  ])("%s is %s", (configured, bound) => {
    const sockets = new GivenSockets([given(3, "x", bound)]);
    expect(sockets.assign([wanted(configured)])).toBeUndefined();
    expect(sockets.take(at(configured))?.descriptor).toBe(3);
  });

  it("goes by the name where the address is not known", () => {
    const sockets = new GivenSockets([given(3, "policy")]);
    expect(sockets.assign([wanted("inet:9998", "policy")])).toBeUndefined();
    expect(sockets.take(at("inet:9998"))?.descriptor).toBe(3);
  });

  it("gives each out once: a listener that comes back with a reload is bound anew", () => {
    const sockets = new GivenSockets([given(3, "x", "inet:9998")]);
    sockets.assign([wanted("inet:9998")]);
    expect(sockets.take(at("inet:9998"))).toBeDefined();
    expect(sockets.take(at("inet:9998"))).toBeUndefined();
  });

  it("has a problem where one is left over, or two are for the same", () => {
    const sockets = new GivenSockets([given(3, "a", "inet:9998"), given(4, "a", "inet:9997"), given(5, "b")]);
    expect(sockets.assign([wanted("inet:9998", "a")])).toContain(
      'systemd hands over "a" (inet:127.0.0.1:9997), "b" (no listening stream socket), which the configuration does not name; it names "a" (inet:127.0.0.1:9998)',
    );
  });
});
