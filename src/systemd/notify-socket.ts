/**
 * The socket on which the service manager is told how the service is (sd_notify(3)). Where the package that it takes is
 * absent, or does not load, the bridge runs all the same.
 */
import { openUnixDatagrams } from "../observe/unix-datagrams.ts";

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
  const socket = await openUnixDatagrams(onError);
  if ("problem" in socket) {
    return {
      problem: `${socket.problem}, or set Type=exec and WatchdogSec=0 in the unit, which waits for READY=1 in vain`,
    };
  }
  return {
    send: (lines) => {
      socket.send(Buffer.from(lines.join("\n")), address, (problem) => {
        if (problem !== undefined) onError(problem);
      });
    },
    close: () => socket.close(),
  };
}
