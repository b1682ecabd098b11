/**
 * The datagram socket on which the service manager is told how the service is (sd_notify(3)).
 *
 * Node.js has no unix datagram sockets: they come from a package with a compiled part, loaded where there is somebody to
 * tell. Where it is absent, or does not load, the bridge runs all the same.
 */
export interface NotifySocket {
  /** Sends a message of lines `NAME=value`. Never waits; what cannot be sent is told to `onError` of `openNotifySocket`. */
  send(lines: readonly string[]): void;
  close(): void;
}

/**
 * Opens it.
 *
 * @param address NOTIFY_SOCKET
 * @param onError told each time a message could not be sent
 */
export async function openNotifySocket(
  address: string,
  onError: (detail: string) => void,
): Promise<NotifySocket | { readonly problem: string }> {
  if (!address.startsWith("/")) {
    return { problem: `NOTIFY_SOCKET=${address} is no path; only a socket in the file system can be told` };
  }
  try {
    const { DgramSocket } = await import("node-unix-socket");
    const socket = new DgramSocket();
    socket.on("error", (error: Error) => onError(error.message));
    return {
      send: (lines) => {
        const message = Buffer.from(lines.join("\n"));
        try {
          socket.sendTo(message, 0, message.length, address, (error) => {
            if (error) onError(error.message);
          });
        } catch (error) {
          onError((error as Error).message);
        }
      },
      close: () => socket.close(),
    };
  } catch (error) {
    const [detail] = (error as Error).message.split("\n");
    return {
      problem:
        `the package node-unix-socket cannot be loaded (${detail}): install pfxbridge again without ` +
        "--omit=optional, or set Type=exec and WatchdogSec=0 in the unit, which waits for READY=1 in vain",
    };
  }
}
