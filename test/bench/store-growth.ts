/**
 * How the store on disk grows: what opening it costs, in time and memory, and what reading from it does, with 10^3 to 10^6
 * entries. Each figure is from a process of its own, which knows nothing but the built store.
 *
 *     node dist/test/bench/store-growth.js [LARGEST]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Times in milliseconds, sizes in MiB. */
export interface StoreGrowth {
  readonly entries: number;
  /** From the process's start until the store can be asked; the median of several. */
  readonly start: number;
  /** The process's whole memory when the store has been opened, and at most while 100,000 random entries are read. */
  readonly memoryAtOpen: number;
  readonly memoryReading: number;
  /** One look, in microseconds. */
  readonly look: number;
  readonly file: number;
}

const SIZES = [0, 1_000, 10_000, 100_000, 1_000_000];
const STARTS = 7;
const MIB = 1024 * 1024;

/** Measures with each number of entries up to `largest`; takes about two minutes for a million. */
export function measureStoreGrowth(largest = 1_000_000): readonly StoreGrowth[] {
  const folder = mkdtempSync(join(tmpdir(), "pfxbridge-growth-"));
  try {
    return SIZES.filter((entries) => entries <= largest).map((entries) => {
      const path = join(folder, `${entries}.lmdb`);
      run(path, FILL, entries);
      const starts: number[] = [];
      for (let n = 0; n < STARTS; n++) {
        const begun = performance.now();
        run(path, "", entries);
        starts.push(performance.now() - begun);
      }
      const { rss, most, look } = run(path, READ, entries);
      const start = starts.sort((a, b) => a - b)[STARTS >> 1] ?? 0;
      return {
        entries,
        start,
        memoryAtOpen: rss / MIB,
        memoryReading: most / MIB,
        look,
        file: statSync(path).size / MIB,
      };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The table, as text. */
export function formatStoreGrowth(growth: readonly StoreGrowth[]): string {
  const head = ["entries", "start ms", "open MiB", "reading MiB", "look µs", "file MiB"];
  const rows = growth.map((row) =>
    [row.entries, row.start, row.memoryAtOpen, row.memoryReading, row.look, row.file].map((value, column) =>
      value.toFixed(column === 4 ? 1 : 0),
    ),
  );
  return [head, ...rows].map((row) => row.map((cell) => cell.padStart(12)).join("")).join("\n");
}

interface Figures {
  readonly rss: number;
  readonly most: number;
  readonly look: number;
}

const FILL = `
  for (let n = 0; n < entries; n++) {
    store.set(keyOf(n), remembered(n));
    if (n % 2000 === 1999) while (store.waiting > 0) await new Promise((done) => setTimeout(done, 1));
  }`;

const READ = `
  const looks = 100_000;
  const begun = performance.now();
  for (let n = 0; n < looks; n++) {
    store.get(keyOf(Math.floor(Math.random() * entries)));
    if (n % 100 === 0) {
      figures.most = Math.max(figures.most, process.memoryUsage.rss());
      await new Promise(setImmediate);
    }
  }
  figures.look = ((performance.now() - begun) * 1000) / looks;`;

/** A process that opens the store and does what `work` says. */
function run(path: string, work: string, entries: number): Figures {
  const program = `
    import { createHash } from "node:crypto";
    import { LmdbStore } from ${JSON.stringify(resolve("dist/src/cache/stores/lmdb.js"))};
    const entries = ${entries};
    const log = { debug() {}, info() {}, warn: console.error, error: console.error };
    const store = new LmdbStore(${JSON.stringify(path)}, { maxEntries: 2_000_000, keep: 1e9, log });
    const keyOf = (n) => createHash("sha256").update(String(n)).digest("base64url");
    const names = ["request", "protocol_state", "protocol_name", "client_address", "client_name", "client_port",
      "reverse_client_name", "server_address", "server_port", "helo_name", "sender", "recipient", "recipient_count",
      "queue_id", "instance", "size", "etrn_domain", "stress", "sasl_method", "sasl_username", "sasl_sender",
      "ccert_subject", "ccert_issuer", "ccert_fingerprint", "ccert_pubkey_fingerprint", "encryption_protocol",
      "encryption_cipher", "encryption_keysize", "policy_context"];
    const now = Date.now();
    const remembered = (n) => ({
      service: "corp", storedAt: now, freshUntil: now + 3_600_000, staleUntil: now + 86_400_000 + n,
      reply: { status: 200, headers: new Map([["content-type", "application/json"]]), body: Buffer.alloc(60, "x") },
      asked: {
        attributes: new Map(names.map((name, i) => [name, i % 2 ? "" : "user" + n + "@example.org"])),
        listener: "inet:127.0.0.1:9998", recipients: [],
      },
    });
    const figures = { rss: process.memoryUsage.rss(), most: 0, look: 0 };
    store.get(keyOf(0));
    ${work}
    console.log(JSON.stringify(figures));
    await store.close();`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`measuring failed: ${stderr}`);
  return JSON.parse(stdout) as Figures;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const largest = Number(process.argv[2] ?? 1_000_000);
  console.log(formatStoreGrowth(measureStoreGrowth(largest)));
}
