/** A server on loopback that speaks for itself, byte by byte. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

export interface RawServer {
  readonly url: string;
  /** Cuts off the connections that are open. */
  close(): Promise<void>;
}

export async function listening(onConnection: (socket: Socket) => void): Promise<RawServer> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {}).on("close", () => open.delete(socket));
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
