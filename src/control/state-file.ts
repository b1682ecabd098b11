/**
 * Keeps what was switched by hand across a restart: a small JSON file, 0600, replaced as a whole, so that kill -9 and a
 * power cut leave the old one or the new one.
 *
 * Nothing here throws: a file that cannot be read or written is a problem in words, and the bridge goes on without.
 */
import { constants } from "node:fs";
import { access, open } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import type { OfflineSnapshot } from "../bridge/offline.ts";
import { inHeldFolder } from "../files/held-folder.ts";
import { replaceFile } from "../files/replace-file.ts";
import type { Refusal } from "./controls.ts";

const switched = {
  since: z.number(),
  until: z.number().nullable(),
  by: z.string().max(1000),
};
const stateSchema = z.object({
  version: z.literal(1),
  offline: z.object({
    all: z.object({ ...switched, except: z.array(z.string()) }).nullable(),
    services: z.record(z.string(), z.object(switched)),
  }),
});

const MAX_SIZE = 1024 * 1024;
const WRITABLE_BY_OTHERS = 0o022;

export class StateFile {
  readonly path: string;
  readonly #former: string | undefined;
  #saving: Promise<unknown> = Promise.resolve();

  /** @param former where it was kept before: what is found there is taken over once */
  constructor(path: string, former?: string) {
    this.path = path;
    this.#former = former;
  }

  /** What was kept; undefined when there is nothing yet. */
  async load(): Promise<OfflineSnapshot | Refusal | undefined> {
    const kept = await this.#read(this.path);
    if (kept !== undefined || this.#former === undefined) return kept;
    const former = await this.#read(this.#former);
    if (former !== undefined && !("problem" in former)) await this.save(former);
    return former;
  }

  async #read(path: string): Promise<OfflineSnapshot | Refusal | undefined> {
    try {
      return await inHeldFolder(path, (folder, name) => this.#readFrom(folder.at(name), path));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return undefined;
      return { problem: `${path} cannot be used (${code ?? "it holds something else"})` };
    }
  }

  /** Resolves when it is on the disk; to a problem when it is not. Saves are done in the order they were asked for. */
  save(offline: OfflineSnapshot): Promise<string | undefined> {
    const text = JSON.stringify({ version: 1, offline });
    const saved = this.#saving.then(() => this.#write(text));
    this.#saving = saved;
    return saved;
  }

  /** Undefined when the file could be written now, as far as one can tell without doing so. */
  async problem(): Promise<string | undefined> {
    try {
      await access(dirname(this.path), constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      return this.#unwritable(error);
    }
  }

  /** @param path of a folder that is held; `name` is what people call it */
  async #readFrom(path: string, name: string): Promise<OfflineSnapshot | Refusal> {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { uid, mode, size } = await file.stat();
      const own = uid === 0 || uid === process.geteuid?.();
      if (!own || (mode & WRITABLE_BY_OTHERS) !== 0) {
        return { problem: `${name} is not used, since others could have written it; remove it` };
      }
      if (size > MAX_SIZE) return { problem: `${name} is not used: it is too large` };
      return stateSchema.parse(JSON.parse(await file.readFile("utf8"))).offline;
    } finally {
      await file.close();
    }
  }

  async #write(text: string): Promise<string | undefined> {
    try {
      await replaceFile(this.path, (file) => file.writeFile(text));
      return undefined;
    } catch (error) {
      return this.#unwritable(error);
    }
  }

  #unwritable(error: unknown): string {
    const { code } = error as NodeJS.ErrnoException;
    return `${this.path} cannot be written (${code}); make its folder one that this user can write (systemd: StateDirectory=), or set control.state to a file in another`;
  }
}
