/** Where the time of a decision goes: a processor profile of the bridge under full load, by function. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../support/temporary.ts";
import { startBridge } from "./bridge.ts";
import type { Bench } from "./line.ts";
import { decisions } from "./lines/throughput.ts";
import { thousands } from "./rate.ts";

const SHOWN = 40;
const SECONDS = 6;
/** Microseconds. */
const INTERVAL = 200;

/** As V8 writes it, as far as it is read here. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Prints the functions that take the most time themselves, and the same by part of the program. */
export async function breakdown(bench: Bench): Promise<void> {
  const folder = await temporaryFolder();
  try {
    const nodeOptions = ["--cpu-prof", `--cpu-prof-dir=${folder.path}`, `--cpu-prof-interval=${INTERVAL}`];
    const bridge = await startBridge(bench.service.origin, { modules: true, nodeOptions });
    const begin = performance.now() - bridge.startedAt + 1000 * bench.warmup;
    const { coreRate } = await decisions({ ...bench, seconds: SECONDS }, bridge).finally(bridge.stop);
    const [file] = await readdir(folder.path);
    const whole: Profile = JSON.parse(await readFile(join(folder.path, file!), "utf8"));
    const profile = between(whole, begin * 1000, (begin + 1000 * SECONDS) * 1000);
    console.log(`${thousands(coreRate)} decisions a second of processor time, while being profiled\n`);
    print(
      "function",
      selfTimes(
        profile,
        ({ functionName, url, lineNumber }) =>
          `${functionName || "(anonymous)"} ${place(url)}${lineNumber > 0 ? `:${lineNumber + 1}` : ""}`,
      ),
    );
    print(
      "part",
      selfTimes(profile, ({ functionName, url }) => (url === "" ? functionName : part(url))),
    );
  } finally {
    await folder.remove();
  }
}

type Frame = Profile["nodes"][number]["callFrame"];

/** The samples of a time, in microseconds from the beginning: neither start nor warm-up nor end. */
function between({ nodes, samples, timeDeltas }: Profile, begin: number, end: number): Profile {
  let now = 0;
  const chosen: number[] = [];
  timeDeltas.forEach((delta, n) => {
    now += delta;
    if (now >= begin && now < end) chosen.push(n);
  });
  return { nodes, samples: chosen.map((n) => samples[n]!), timeDeltas: chosen.map((n) => timeDeltas[n]!) };
}

/** Microseconds by what `name` makes of a function, the most first; idle time left out, `(program)` is the kernel's for the most part. */
function selfTimes(
  { nodes, samples, timeDeltas }: Profile,
  name: (frame: Frame) => string,
): [string, number][] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, name(callFrame)]));
  const times = new Map<string, number>();
  samples.forEach((id, n) => {
    const key = names.get(id)!;
    if (!/^\((?:idle|root)\)/.test(key)) times.set(key, (times.get(key) ?? 0) + (timeDeltas[n] ?? 0));
  });
  return [...times].sort((a, b) => b[1] - a[1]);
}

function print(title: string, times: readonly [string, number][]): void {
  const total = times.reduce((sum, [, time]) => sum + time, 0);
  console.log(`| % | ${title} |\n|---:|---|`);
  for (const [name, time] of times.slice(0, SHOWN))
    console.log(`| ${((100 * time) / total).toFixed(1)} | ${name} |`);
  console.log("");
}

/** A path as it is known here: below src or node_modules. */
function place(url: string): string {
  return url.replace(/^.*\/node_modules\//, "").replace(/^.*\/dist\/src\//, "src/");
}

/** A package, a room of the bridge, or Node itself. */
function part(url: string): string {
  if (url.startsWith("node:")) return url.split("/").slice(0, 2).join("/");
  const [first = "", second = ""] = place(url).split("/");
  return first.startsWith("@") || first === "src" ? `${first}/${second}` : first;
}
