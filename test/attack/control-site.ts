/** A bridge with a control endpoint on TCP, and requests to it as an attacker writes them. */
import { request as httpRequest } from "node:http";
import { Program, Site } from "../commands/program.ts";
import { ANY_PORT, permitting } from "../commands/services.ts";
import { freePort } from "../support/temporary.ts";

export const TOKEN = "the-right-token-7Kq";

export interface Controlled {
  readonly site: Site;
  readonly bridge: Program;
  readonly port: number;
  /** Writes the configuration with another `control`, or none. */
  write(control: unknown): Promise<void>;
}

export async function controlled(): Promise<Controlled> {
  const port = await freePort();
  const site = await Site.create({});
  const { url } = await permitting();
  const write = (control: unknown) =>
    site.write("pfxbridge.yaml", {
      listen: ANY_PORT,
      services: { corp: { url, cache: {} } },
      ...(control === undefined ? {} : { control }),
    });
  await write({ endpoint: `inet:127.0.0.1:${port}`, token: TOKEN, state: "state.json" });
  return { site, bridge: await Program.serve(site), port, write };
}

export interface Asked {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** The body as it is on the way. */
  readonly text?: string;
}

/** Status and body of the answer; status 0 where the connection is ended. */
export function ask(
  port: number,
  {
    path = "/v1/status",
    headers = {},
    body,
    text: sent = body === undefined ? undefined : JSON.stringify(body),
  }: Asked = {},
): Promise<{
  readonly status: number;
  readonly text: string;
}> {
  return new Promise((resolve) => {
    const method = sent === undefined ? "GET" : "POST";
    const request = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: false }, (reply) => {
      let text = "";
      reply.on("data", (chunk) => {
        text += String(chunk);
      });
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, text }));
    });
    request.on("error", ({ message }) => resolve({ status: 0, text: message }));
    request.end(sent);
  });
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
