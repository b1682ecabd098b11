/** Somebody between the bridge and Redis shows a certificate of his own, where the environment says that any will do. */
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { Program, Site, until } from "../commands/program.ts";
import { ANY_PORT, GATE, service } from "../commands/services.ts";
import { TestAuthority } from "../upstream/certificates.ts";

describe("a Redis that nobody vouches for", () => {
  it.each([
    ["alone", "rediss", ""],
    ["by Sentinels", "rediss+sentinel", "/main"],
    ["in a cluster", "rediss+cluster", ""],
  ])(
    "hears nothing, and decides nothing, whatever NODE_TLS_REJECT_UNAUTHORIZED says: %s",
    async (_, scheme, name) => {
      const authority = new TestAuthority();
      onTestFinished(() => authority.remove());
      const { cert, key } = authority.issue("redis", "DNS:localhost,IP:127.0.0.1");
      const seen = { connections: 0, heard: "" };
      const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
        socket.on("data", (data) => {
          seen.heard += data.toString("latin1");
        });
        socket.on("error", () => {});
      });
      server.on("connection", () => seen.connections++).on("tlsClientError", () => {});
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      onTestFinished(() => void server.close());
      const { port } = server.address() as AddressInfo;
      const corp = await service(() => ({ body: { allowed: false } }));
      const store = `${scheme}://bridge:redis-password@127.0.0.1:${port}${name}`;
      const site = await Site.create({
        "gate.yaml": GATE,
        "pfxbridge.yaml": {
          listen: ANY_PORT,
          services: {
            corp: { url: corp.url, mapping: "./gate.yaml", cache: { store, secret: "signing-secret" } },
          },
        },
      });
      const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0", NODE_NO_WARNINGS: "1" };
      const bridge = await Program.serve(site, [], { env });
      await until("a connection", () => seen.connections > 0 || undefined);
      expect(await bridge.ask({ sender: "a@example.net" })).toMatch(/^REJECT/);
      await until("a line of the log", () => /Redis cannot be reached/.test(bridge.stdout) || undefined);
      expect(seen.heard).toBe("");
      expect(bridge.stdout).not.toContain("redis-password");
    },
  );
});
