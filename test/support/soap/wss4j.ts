/** Apache WSS4J 1.6, of Debian's packages, behind the JRE's own small server: judges WS-Security headers. */
import { join } from "node:path";
import { temporaryFolder } from "../temporary.ts";
import { classPath, compileJava, JAVA } from "./axis.ts";
import { type SoapServer, startServer } from "./servers.ts";

const WSS4J = classPath(["wss4j", "xmlsec", "commons-logging", "slf4j-api", "slf4j-nop"]);

/** What must be there to run it, besides what Axis needs. */
export const WSS4J_FILES: readonly string[] = WSS4J.split(":");

/** `bridge & co` has this password and shows it so; a Timestamp, too, where that is wanted. No nonce counts twice. */
export async function startWss4jServer(
  password: string,
  kind: "text" | "digest",
  timestamp: boolean,
): Promise<SoapServer> {
  const folder = await temporaryFolder();
  await compileJava([join(import.meta.dirname, "wss4j/VerifyingServer.java")], WSS4J, folder.path, "11");
  const server = await startServer((port) => ({
    command: "java",
    parameters: [...JAVA, "-cp", `${folder.path}:${WSS4J}`, "VerifyingServer", String(port)],
    env: { PASSWORD: password, KIND: kind, ...(timestamp && { TIMESTAMP: "yes" }) },
  }));
  return {
    url: server.url,
    stop: async () => {
      await server.stop();
      await folder.remove();
    },
  };
}
