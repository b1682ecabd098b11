/**
 * Datagrams to unix sockets: systemd's sd_notify(3), and syslog's /dev/log.
 *
 * Node.js has no such sockets: they come from a package with a compiled part, loaded where somebody is to be told. A send
 * never waits; what the receiver does not take at once the package sends when it does.
 */
export interface UnixDatagrams {
  /** @param done told when the receiver has it, or why not */
  send(message: Buffer, path: string, done: (problem: string | undefined) => void): void;
  close(): void;
}

/**
 * Opens a socket to send from.
 *
 * @param onError told what goes wrong with the socket itself, which is of no use then
 * @returns or why there is none, for the end of a message
 */
export async function openUnixDatagrams(
  onError: (detail: string) => void,
): Promise<UnixDatagrams | { readonly problem: string }> {
  try {
    const { DgramSocket } = await import("node-unix-socket");
    const socket = new DgramSocket();
    socket.on("error", (error: Error) => onError(error.message));
    return {
      send: (message, path, done) => {
        try {
          socket.sendTo(message, 0, message.length, path, (error) => done(error?.message));
        } catch (error) {
          done((error as Error).message);
        }
      },
      close: () => socket.close(),
    };
  } catch (error) {
    const [detail] = (error as Error).message.split("\n");
    return {
      problem: `the package node-unix-socket cannot be loaded (${detail}): install pfxbridge again without --omit=optional`,
    };
  }
}
