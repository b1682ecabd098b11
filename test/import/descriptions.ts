/** Imports in the test's own process, from files beside the tests or written for one. */
import { writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";
import { Documents } from "../../src/import/documents.ts";
import { draftMapping } from "../../src/import/draft.ts";
import { openApiOperations, wsdlOperations } from "../../src/import/listing.ts";
import { temporaryFolder } from "../support/temporary.ts";

type Kind = "wsdl" | "openapi";

export const description = (name: string) => resolve(import.meta.dirname, name);

export async function listed(kind: Kind, source: string, documents = new Documents()) {
  return (kind === "wsdl" ? wsdlOperations : openApiOperations)(source, documents);
}

/** The mapping that is written for an operation. */
export async function drafted(
  kind: Kind,
  source: string,
  operation: string,
  documents = new Documents(),
): Promise<string> {
  return draftMapping(await (await listed(kind, source, documents)).read(operation), source).text;
}

/** A file of its own; ends with the test. */
export async function written(text: string | Buffer, name = "description"): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  await writeFile(join(folder.path, name), text);
  return join(folder.path, name);
}

/** A web server on loopback; ends with the test. */
export async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
