import { describe, expect, it } from "vitest";
import { ReplyBody } from "../../../src/upstream/transport/reply-body.ts";
import { caller, httpService, rawService } from "../harness.ts";

describe("the body of a reply", () => {
  it.each([1, 2, 3, 100, 4095, 4097])("is what came, in %d pieces, and no other's bytes change", (count) => {
    const whole = Buffer.from(Array.from({ length: 5000 }, (_, n) => n % 251));
    const read = Buffer.concat([whole, Buffer.from("other")]);
    const body = new ReplyBody(1_000_000);
    for (let n = 0; n < count; n++) {
      const [from, to] = [Math.floor((n * 5000) / count), Math.floor(((n + 1) * 5000) / count)];
      expect(body.add(read.subarray(from, to))).toBeNull();
    }
    expect(body.bytes.equals(whole)).toBe(true);
    expect(body.length).toBe(5000);
    expect(read.toString("latin1", 5000)).toBe("other");
  });

  it("that is exactly as large as allowed is taken, a byte more is not", async () => {
    let size = 1000;
    const url = await httpService((_request, response) => {
      response.write("x".repeat(600));
      setTimeout(() => response.end("x".repeat(size - 600)), 20);
    });
    const { call } = caller(url, { maxReplySize: 1000 });
    expect((await call()).answer).toMatchObject({ body: "x".repeat(1000) });
    size = 1001;
    expect((await call()).answer).toMatchObject({
      cause: "bad_reply",
      detail: expect.stringContaining("1000"),
    });
  });

  it("keeps no more memory than twice its bytes, however small its pieces are", () => {
    const body = new ReplyBody(1_000_000);
    for (let n = 0; n < 3000; n++) body.add(Buffer.alloc(65_536).subarray(n, n + 1));
    expect(body.bytes.buffer.byteLength).toBeLessThanOrEqual(2 * 4096);
  });

  it("in pieces of a few bytes costs no more than one of the same size may", async () => {
    const chunk = "1\r\nx\r\n";
    const url = await rawService((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        socket.write(chunk.repeat(1_000_000));
        socket.end("0\r\n\r\n");
      }),
    );
    const { answer } = await caller(url, { timeout: 20_000 }).call({}, 20_000);
    expect(answer).toMatchObject({ cause: "bad_reply", detail: expect.stringMatching(/\d+ pieces/) });
  });

  it("that is small may come byte by byte", async () => {
    const url = await rawService((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        socket.end(`${"1\r\nx\r\n".repeat(1000)}0\r\n\r\n`);
      }),
    );
    expect((await caller(url).call()).answer).toMatchObject({ body: "x".repeat(1000) });
  });
});
