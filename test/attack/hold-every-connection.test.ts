/** Somebody without the token opens connections to the control endpoint and keeps them, so that the operator gets none. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { ask, bearer, controlled, TOKEN } from "./control-site.ts";

const MANY = 200;

describe("connections that only wait", () => {
  it("lock nobody out", async () => {
    const { port } = await controlled();
    const held: Socket[] = [];
    onTestFinished(() => {
      for (const socket of held) socket.destroy();
    });
    for (let n = 0; n < MANY; n++) {
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      held.push(socket);
      await once(socket, "connect");
      // Half a request, on half of them.
      if (n % 2 === 0) socket.write("GET /v1/status HTTP/1.1\r\n");
      if (n % 40 === 39) expect(await ask(port, { headers: bearer(TOKEN) })).toMatchObject({ status: 200 });
    }
    expect(await ask(port, { headers: bearer(TOKEN) })).toMatchObject({ status: 200 });
    await expect.poll(() => held.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(MANY - 64);
  });

  it("do not push out one that has shown the token", async () => {
    const { port } = await controlled();
    const operator = connect(port, "127.0.0.1");
    onTestFinished(() => {
      operator.destroy();
    });
    const say = () =>
      operator.write(`GET /v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`);
    say();
    await once(operator, "data");
    for (let n = 0; n < MANY; n++) {
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      onTestFinished(() => {
        socket.destroy();
      });
      await once(socket, "connect");
    }
    say();
    const [answer] = await once(operator, "data");
    expect(String(answer)).toContain("200 OK");
  });
});
