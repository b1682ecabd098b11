/** SOAP servers that make their own description, beside those of test/support: Spyne and Apache Axis. */
import { join } from "node:path";
import { startDaemon } from "../support/daemon.ts";
import { startAxis } from "../support/soap/axis.ts";
import type { SoapServer, SoapVersion } from "../support/soap/servers.ts";
import { freePort } from "../support/temporary.ts";

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

/** Apache Axis 1.4, rpc/encoded, with a table of decisions: `getProperty(key)` gives what `decisions` has. */
export async function startTable(decisions: Readonly<Record<string, string>>): Promise<SoapServer> {
  const server = await startAxis("Authorization", join(import.meta.dirname, "table.wsdd"));
  for (const [key, value] of Object.entries(decisions)) {
    const body = `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><s:setProperty xmlns:s="urn:x"><key>${key}</key><value>${value}</value></s:setProperty></e:Body></e:Envelope>`;
    const reply = await fetch(server.url, {
      method: "POST",
      headers: { "content-type": "text/xml", soapaction: '""' },
      body,
    });
    if (reply.status !== 200) throw new Error(await reply.text());
  }
  return server;
}
