/**
 * Which services are not called for now: what the configuration says, and what was switched by hand while the bridge
 * runs.
 *
 * A switch by hand only takes services offline that the configuration leaves online; it is taken back by hand, or
 * ends by itself. It outlives a reload, and a restart for whoever keeps `snapshot()` and gives it back.
 */

/** Why no call is made to a service: the configuration, `--offline`, or somebody's switch. */
export type OfflineReason = "configuration" | "command_line" | "by_hand";

/** One switch by hand. Times are in milliseconds since 1970. */
export interface Switched {
  readonly since: number;
  /** Null: until it is switched back. */
  readonly until: number | null;
  /** Who did it, as they say. */
  readonly by: string;
}

/** All switches by hand, as plain data. */
export interface OfflineSnapshot {
  /** All services, also those that come with a later configuration, but for those switched online since. */
  readonly all: (Switched & { readonly except: readonly string[] }) | null;
  readonly services: Readonly<Record<string, Switched>>;
}

/** What keeps a service offline. */
export type OfflineState =
  | { readonly reason: "configuration" | "command_line" }
  | ({ readonly reason: "by_hand" } & Switched);

/** `offline` of the configuration: all services, none, or those named. */
export type ConfiguredOffline = boolean | readonly string[];

export class OfflineSwitch {
  readonly #commandLine: boolean;
  #configured: (service: string) => boolean;
  #all: OfflineSnapshot["all"] = null;
  #services = new Map<string, Switched>();
  /** Whether anything is switched by hand; nothing else is looked at when it is not. */
  #byHand = false;

  /** @param commandLine `--offline`: no call at all, whatever else is said */
  constructor(configured: ConfiguredOffline, commandLine = false) {
    this.#commandLine = commandLine;
    this.#configured = configuredFor(configured);
  }

  /** Takes over what another configuration says; what was switched by hand stays. */
  configure(configured: ConfiguredOffline): void {
    this.#configured = configuredFor(configured);
  }

  /** Whether a call to this service is out of the question now. Asked for each decision. */
  isOffline(service: string): boolean {
    if (this.#commandLine || this.#configured(service)) return true;
    return this.#byHand && this.#switched(service) !== undefined;
  }

  /** What keeps a service offline; undefined when it is online. */
  state(service: string): OfflineState | undefined {
    if (this.#commandLine) return { reason: "command_line" };
    if (this.#configured(service)) return { reason: "configuration" };
    const switched = this.#switched(service);
    return switched && { reason: "by_hand", ...switched };
  }

  /**
   * Takes services offline. Of several switches for a service the one that lasts longest counts.
   *
   *     offline.offline(["corp"], Date.now() + 7_200_000, "alice on pts/0")
   *     offline.offline("all", null, "alice on pts/0")
   *
   * @param until milliseconds since 1970; null: until switched back
   */
  offline(services: "all" | readonly string[], until: number | null, by: string): void {
    const switched: Switched = { since: Date.now(), until, by };
    if (services === "all") this.#all = { ...switched, except: [] };
    else for (const service of services) this.#services.set(service, switched);
    this.#byHand = true;
  }

  /** Takes back what was switched by hand. The configuration and `--offline` are not overruled. */
  online(services: "all" | readonly string[]): void {
    if (services === "all") {
      this.#all = null;
      this.#services.clear();
    } else {
      for (const service of services) this.#services.delete(service);
      const all = this.#all;
      if (all !== null) this.#all = { ...all, except: [...new Set([...all.except, ...services])] };
    }
    this.#tidy();
  }

  /** All switches by hand that still hold. */
  snapshot(): OfflineSnapshot {
    this.#tidy();
    return { all: this.#all, services: Object.fromEntries(this.#services) };
  }

  /** Brings back what `snapshot()` gave before a restart. */
  restore({ all, services }: OfflineSnapshot): void {
    this.#all = all;
    this.#services = new Map(Object.entries(services));
    this.#byHand = true;
    this.#tidy();
  }

  /** When the next switch ends by itself, in milliseconds since 1970; undefined when none does. */
  get nextEnd(): number | undefined {
    const ends = [this.#all, ...this.#services.values()].flatMap((switched) => switched?.until ?? []);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  #switched(service: string): Switched | undefined {
    const own = this.#services.get(service);
    const all = this.#all === null || this.#all.except.includes(service) ? undefined : this.#all;
    const holding = [own, all].filter((switched) => switched !== undefined && holds(switched));
    const [first, second] = holding;
    if (first === undefined || second === undefined) return first && plain(first);
    return plain((first.until ?? Infinity) >= (second.until ?? Infinity) ? first : second);
  }

  #tidy(): void {
    if (this.#all !== null && !holds(this.#all)) this.#all = null;
    for (const [service, switched] of this.#services) {
      if (!holds(switched)) this.#services.delete(service);
    }
    this.#byHand = this.#all !== null || this.#services.size > 0;
  }
}

function holds({ until }: Switched): boolean {
  return until === null || Date.now() < until;
}

function plain({ since, until, by }: Switched): Switched {
  return { since, until, by };
}

function configuredFor(configured: ConfiguredOffline): (service: string) => boolean {
  if (typeof configured === "boolean") return () => configured;
  const named = new Set(configured);
  return (service) => named.has(service);
}
