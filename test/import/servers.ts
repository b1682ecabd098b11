/** SOAP servers that make their own description, beside those of test/support: Spyne and Apache Axis. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { startDaemon } from "../support/daemon.ts";
import { JAVA } from "../support/requirement.ts";
import type { SoapServer, SoapVersion } from "../support/soap/servers.ts";
import { freePort, temporaryFolder } from "../support/temporary.ts";

/** A service on Spyne, by a script that is given a port and the version. */
export async function startSpyne(version: SoapVersion, script: string): Promise<SoapServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const daemon = await startDaemon({
    command: "/usr/bin/python3",
    parameters: [script, String(port), version],
    ready: () => fetch(`${url}?wsdl`),
  });
  return { url, stop: async () => void (await daemon.stop()) };
}

const AXIS = ["axis", "axis-jaxrpc", "axis-saaj", "commons-discovery", "commons-logging", "wsdl4j"]
  .map((name) => `${JAVA}/${name}.jar`)
  .join(":");

/**
 * Apache Axis 1.4, rpc/encoded, with a table of decisions: `getProperty(key)` gives what `decisions` has. No class of our own, so
 * that it needs no compiler.
 */
export async function startAxis(decisions: Readonly<Record<string, string>>): Promise<SoapServer> {
  const folder = await temporaryFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/axis/services/Authorization`;
  // It keeps what is deployed in the working directory.
  const daemon = await startDaemon({
    command: "sh",
    parameters: [
      "-c",
      'cd "$1" && exec java -cp "$2" org.apache.axis.transport.http.SimpleAxisServer -p "$3"',
      "sh",
      folder.path,
      AXIS,
      String(port),
    ],
    ready: () => connected(port),
  });
  const deployment = join(folder.path, "deploy.wsdd");
  await writeFile(
    deployment,
    `<deployment xmlns="http://xml.apache.org/axis/wsdd/" xmlns:java="http://xml.apache.org/axis/wsdd/providers/java">
  <service name="Authorization" provider="java:RPC">
    <parameter name="className" value="java.util.Properties"/>
    <parameter name="allowedMethods" value="getProperty setProperty"/>
    <parameter name="scope" value="Application"/>
  </service>
</deployment>`,
  );
  await promisify(execFile)("java", [
    "-cp",
    AXIS,
    "org.apache.axis.client.AdminClient",
    "-p",
    String(port),
    deployment,
  ]);
  for (const [key, value] of Object.entries(decisions)) {
    const body = `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><s:setProperty xmlns:s="urn:x"><key>${key}</key><value>${value}</value></s:setProperty></e:Body></e:Envelope>`;
    const reply = await fetch(url, {
      method: "POST",
      headers: { "content-type": "text/xml", soapaction: '""' },
      body,
    });
    if (reply.status !== 200) throw new Error(await reply.text());
  }
  return {
    url,
    stop: async () => {
      await daemon.stop();
      await folder.remove();
    },
  };
}

function connected(port: number): Promise<void> {
  return new Promise((done, fail) => {
    const socket = createConnection(port, "127.0.0.1", () => {
      socket.end();
      done();
    });
    socket.on("error", fail);
  });
}
