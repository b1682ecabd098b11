/**
 * The documents that a description consists of, read from files or over HTTP, and no more than it must.
 *
 * What is imported from another host than the description's own is not fetched unless that host was named; nor does a
 * description that came over HTTP reach files. Size, number and time are limited. What was read is remembered, to be told.
 */
import { dirname, isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { unusable } from "../source/problem.ts";
import { readBytes } from "../source/trusted.ts";
import { excerpt } from "../text/excerpt.ts";

export interface Document {
  /** An absolute path, or a URL. */
  readonly address: string;
  readonly bytes: Buffer;
  /** Undefined for a file, or where the server said none. */
  readonly contentType: string | undefined;
}

/** In bytes. */
const MOST_EACH = 2 * 1024 * 1024;
const MOST_TOGETHER = 8 * 1024 * 1024;
const MOST_DOCUMENTS = 50;
const MOST_REDIRECTS = 3;
/** In ms, for one document. */
const PATIENCE = 10_000;

export class Documents {
  readonly #hosts: Set<string>;
  readonly #documents = new Map<string, Document>();
  #bytes = 0;

  /** @param hosts those besides the description's own that may be asked: `host` or `host:port` */
  constructor(hosts: readonly string[] = []) {
    this.#hosts = new Set(hosts);
  }

  /** The addresses of what was read. */
  get read(): readonly string[] {
    return [...this.#documents.keys()];
  }

  /**
   * The document that a person named: its host may be asked.
   *
   * @param source a path, or a URL with http: or https:
   * @throws ProblemError
   */
  async first(source: string): Promise<Document> {
    if (!isHttp(source)) return this.#get(resolve(source));
    if (!URL.canParse(source)) throw unusable(excerpt(source), "this is no URL");
    const url = new URL(source);
    if (url.username !== "" || url.password !== "") {
      url.username = "";
      url.password = "";
      throw unusable(
        url.href,
        "a URL with credentials is not asked; fetch the description with curl, and name the file",
      );
    }
    this.#hosts.add(url.host);
    return this.#get(url.href);
  }

  /**
   * A document that another refers to; or why it is not read.
   *
   * @throws ProblemError where a limit is reached
   */
  async referred(reference: string, from: Document): Promise<Document | { readonly problem: string }> {
    const address = addressOf(reference, from.address);
    if (address === null) {
      return {
        problem: `"${excerpt(reference)}" is not read: neither a file beside the description nor a URL of its host`,
      };
    }
    const problem = this.#refusal(address, from.address);
    if (problem !== null) return { problem };
    try {
      return await this.#get(address);
    } catch (error) {
      if (error instanceof LimitError) throw unusable(from.address, error.message);
      return { problem: (error as Error).message };
    }
  }

  #refusal(address: string, from: string): string | null {
    if (!isHttp(address)) {
      return isHttp(from)
        ? `${excerpt(address)} is not read: it is a file, and the description came over HTTP`
        : null;
    }
    const { host } = new URL(address);
    if (this.#hosts.has(host)) return null;
    return `${excerpt(address)} was not fetched: it is on another host. With --host ${host} it is`;
  }

  async #get(address: string): Promise<Document> {
    const known = this.#documents.get(address);
    if (known !== undefined) return known;
    if (this.#documents.size === MOST_DOCUMENTS) {
      throw new LimitError(address, `the description consists of more than ${MOST_DOCUMENTS} documents`);
    }
    const document = isHttp(address) ? await this.#fetch(address) : readFile(address);
    this.#bytes += document.bytes.length;
    if (this.#bytes > MOST_TOGETHER) {
      throw new LimitError(
        address,
        `the description is larger than ${MOST_TOGETHER} bytes, all documents together`,
      );
    }
    this.#documents.set(address, document);
    return document;
  }

  async #fetch(address: string): Promise<Document> {
    const signal = AbortSignal.timeout(PATIENCE);
    try {
      return await this.#follow(address, address, MOST_REDIRECTS, signal);
    } catch (error) {
      if (error instanceof FetchError) throw unusable(address, error.message);
      if (signal.aborted) throw unusable(address, `no complete reply within ${PATIENCE / 1000} s`);
      const { message, cause } = error as Error;
      throw unusable(address, `it cannot be fetched: ${cause instanceof Error ? cause.message : message}`);
    }
  }

  async #follow(address: string, at: string, redirects: number, signal: AbortSignal): Promise<Document> {
    const response = await fetch(at, { redirect: "manual", signal, headers: { accept: "*/*" } });
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status <= 399 && location !== null) {
      await response.body?.cancel();
      const next = URL.canParse(location, at) ? new URL(location, at) : null;
      if (next === null || !isHttp(next.href)) throw new FetchError("it is redirected to no URL");
      if (!this.#hosts.has(next.host)) {
        throw new FetchError(
          `it is redirected to ${excerpt(next.href)}, which is on another host. With --host ${next.host} it is followed`,
        );
      }
      if (redirects === 0) throw new FetchError(`it is redirected more than ${MOST_REDIRECTS} times`);
      return this.#follow(address, next.href, redirects - 1, signal);
    }
    if (response.status !== 200) {
      await response.body?.cancel();
      const hint =
        response.status === 401 || response.status === 403
          ? "; fetch the description with your credentials (curl -u), and name the file"
          : "";
      throw new FetchError(`HTTP status ${response.status}${hint}`);
    }
    const contentType = response.headers.get("content-type") ?? undefined;
    return { address, bytes: await bodyOf(response), contentType };
  }
}

class FetchError extends Error {}

/** Ends the work; what is merely not there does not. */
class LimitError extends Error {
  constructor(address: string, message: string) {
    super(`${excerpt(address)}: ${message}`);
  }
}

async function bodyOf(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MOST_EACH) throw new FetchError(`it is larger than ${MOST_EACH} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readFile(path: string): Document {
  const read = readBytes(path, MOST_EACH, false);
  if ("problem" in read) throw unusable(path, read.problem);
  return { address: path, bytes: read.bytes, contentType: undefined };
}

export function isHttp(address: string): boolean {
  return /^https?:/i.test(address);
}

/** Null where no document of this kind is read. */
function addressOf(reference: string, from: string): string | null {
  if (isHttp(from)) return URL.canParse(reference, from) ? new URL(reference, from).href : null;
  if (isHttp(reference)) return URL.canParse(reference) ? new URL(reference).href : null;
  if (/^file:/i.test(reference)) return fileURLToPath(reference);
  if (/^[a-z][a-z0-9+.-]+:/i.test(reference)) return null;
  return isAbsolute(reference) ? reference : resolve(dirname(from), decoded(reference));
}

function decoded(reference: string): string {
  try {
    return decodeURIComponent(reference);
  } catch {
    return reference;
  }
}
