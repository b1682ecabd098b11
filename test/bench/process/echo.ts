/** The floor for a policy service in Node: finds the empty line, writes an answer that never changes. */
import { type AddressInfo, createServer } from "node:net";
import { announce } from "./jobs.ts";

const ANSWER = Buffer.from("action=DUNNO\n\n");

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (chunk) => {
    if (chunk.includes("\n\n")) socket.write(ANSWER);
  });
  socket.on("error", () => {});
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () =>
  announce((server.address() as AddressInfo).port),
);
