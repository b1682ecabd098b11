/** Apache Axis 1.4, of Debian's packages: the service is compiled by Eclipse's compiler, for which a JRE is enough. */
import { execFile } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryFolder } from "../temporary.ts";
import { type SoapServer, startServer } from "./servers.ts";

const SOURCES = join(import.meta.dirname, "axis");
const CLASSES = ["MailAuthorization", "Decision", "Reason", "Server"];
const JARS = "/usr/share/java";
/** Quick to start rather than quick. */
export const JAVA = ["-XX:TieredStopAtLevel=1", "-Xmx128m"];

export function classPath(names: readonly string[]): string {
  return names.map((name) => join(JARS, `${name}.jar`)).join(":");
}

const COMPILER = classPath(["ecj"]);
const AXIS = classPath([
  "axis",
  "axis-jaxrpc",
  "axis-saaj",
  "commons-discovery",
  "commons-logging",
  "wsdl4j",
  "javax.mail",
  "javax.activation",
]);

/** What must be there to run it. */
export const AXIS_FILES: readonly string[] = `${COMPILER}:${AXIS}`.split(":");

/** Our service, rpc/encoded, with objects that are referred to. */
export function startAxisServer(): Promise<SoapServer> {
  return startAxis("mail-authorization", join(SOURCES, "server-config.wsdd"));
}

/**
 * Axis's own small server, on loopback alone.
 *
 * @param service in its URL
 * @param deployment the file that names it
 */
export async function startAxis(service: string, deployment: string): Promise<SoapServer> {
  const folder = await temporaryFolder();
  const sources = CLASSES.map((name) => join(SOURCES, `${name}.java`));
  await compileJava(sources, AXIS, folder.path, "8");
  await copyFile(deployment, join(folder.path, "server-config.wsdd"));
  const server = await startServer(
    (port) => ({
      command: "java",
      parameters: [...JAVA, "-cp", `${folder.path}:${AXIS}`, "Server", String(port)],
      cwd: folder.path,
    }),
    `/axis/services/${service}`,
  );
  return {
    url: server.url,
    stop: async () => {
      await server.stop();
      await folder.remove();
    },
  };
}

/** Compiles for a version of Java, into a folder. */
export async function compileJava(
  sources: readonly string[],
  classes: string,
  folder: string,
  version: string,
): Promise<void> {
  await promisify(execFile)("java", [
    ...JAVA,
    ...["-cp", COMPILER, "org.eclipse.jdt.internal.compiler.batch.Main"],
    ...[`-${version}`, "-nowarn", "-cp", classes, "-d", folder],
    ...sources,
  ]);
}
