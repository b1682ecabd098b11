/**
 * Controls of the running bridge: whoever asks at the control endpoint sees and changes the bridge through this.
 *
 * It outlives reloads: what belongs to one configuration is asked for anew each time. A switch by hand is answered when
 * it is on the disk.
 */

import type { LoadCounts } from "../bridge/bridge.ts";
import type { Engine } from "../bridge/engine.ts";
import type { OfflineSwitch } from "../bridge/offline.ts";
import { modeOf } from "../bridge/service-status.ts";
import type { EngineStatus } from "../bridge/status.ts";
import type { Met } from "../cache/forget.ts";
import type { DecisionQuery } from "../explain/query.ts";
import type { FoundDecisions } from "../explain/recent.ts";
import { ATTRIBUTE_TYPES } from "../expression/scope.ts";
import type { Log } from "../observe/log.ts";
import { suggestion } from "../text/nearest.ts";
import { visible } from "../text/visible.ts";
import { LATE, within } from "../time/within.ts";
import type { Controls, Refusal, ReloadOutcome, ServiceNames, Status, Switching } from "./controls.ts";
import type { StateFile } from "./state-file.ts";

export interface Controlled {
  readonly engine: Pick<Engine, "status" | "decisions" | "switched" | "forget" | "exportCache" | "loadCache">;
  /** Of the configuration in use. */
  readonly services: () => readonly { readonly name: string; readonly remembers: boolean }[];
  /** Takes the secrets of the configuration in use out of a text. */
  readonly mask: (text: string) => string;
  /** What does not hang on who answers requests. */
  readonly about: () => Omit<Status, keyof EngineStatus | "uptime_s">;
  /** Loads the configuration again. */
  readonly reload: () => Promise<ReloadOutcome | Refusal>;
  readonly offline: OfflineSwitch;
  readonly state: StateFile;
  readonly log: Log;
}

/** That a store may take to make a revocation known, in milliseconds. */
const CONFIRM_TIME = 10_000;
/** The longest that a timer can wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

export class BridgeControls implements Controls {
  readonly #controlled: Controlled;
  #ending: NodeJS.Timeout | undefined;

  private constructor(controlled: Controlled) {
    this.#controlled = controlled;
  }

  /** Brings back what was switched by hand before a restart, and says so. */
  static async open(controlled: Controlled): Promise<BridgeControls> {
    const controls = new BridgeControls(controlled);
    await controls.#restore();
    return controls;
  }

  readonly mask = (text: string): string => this.#controlled.mask(text);

  status(): Promise<Status> {
    return wholeStatus(this.#controlled);
  }

  decisions(query: DecisionQuery): Promise<FoundDecisions> {
    return this.#controlled.engine.decisions(query);
  }

  async offline(services: ServiceNames, forMs: number | null, by: string): Promise<Switching | Refusal> {
    const unknown = this.#unknown(services);
    if (unknown !== undefined) return unknown;
    const until = forMs === null ? null : Date.now() + forMs;
    this.#controlled.offline.offline(services, until, visible(by));
    const fields = { services, until: until === null ? null : new Date(until).toISOString(), by };
    this.#controlled.log.warn(fields, "switched offline by hand: no calls are made");
    return this.#switched(services);
  }

  async online(services: ServiceNames, by: string): Promise<Switching | Refusal> {
    const unknown = this.#unknown(services);
    if (unknown !== undefined) return unknown;
    this.#controlled.offline.online(services);
    this.#controlled.log.info({ services, by }, "switched online by hand");
    return this.#switched(services);
  }

  async forget(
    service: string | undefined,
    attributes: Readonly<Record<string, string>>,
    by: string,
    dryRun: boolean,
  ): Promise<Met | Refusal> {
    const wrong = (service && this.#unknown([service])) || misspelt(attributes);
    if (wrong) return wrong;
    const missing = this.#withoutCache(service);
    if (missing !== undefined) return missing;
    const what = { ...(service !== undefined && { service }), attributes };
    const forgotten = this.#controlled.engine.forget({ ...what, at: Date.now() }, dryRun);
    if (dryRun) return forgotten;
    const met = await confirmed(forgotten);
    this.#controlled.log.warn({ ...what, ...met, by }, "remembered decisions forgotten by hand");
    return met;
  }

  async reload(by: string): Promise<ReloadOutcome | Refusal> {
    this.#controlled.log.info({ by }, "loading the configuration again, as told by hand");
    const outcome = await this.#controlled.reload();
    if ("problem" in outcome) return outcome;
    return { ...outcome, problems: outcome.problems.map(this.mask) };
  }

  exportCache(): AsyncIterable<string> | Refusal {
    return this.#withoutCache(undefined) ?? this.#controlled.engine.exportCache();
  }

  async loadCache(lines: AsyncIterable<string>): Promise<LoadCounts | Refusal> {
    const missing = this.#withoutCache(undefined);
    if (missing !== undefined) return missing;
    const counts = await this.#controlled.engine.loadCache(lines);
    this.#controlled.log.info({ ...counts }, "remembered decisions loaded by hand");
    return counts;
  }

  #unknown(services: ServiceNames): Refusal | undefined {
    if (services === "all") return undefined;
    const known = this.#controlled.services().map(({ name }) => name);
    const unknown = services.find((name) => !known.includes(name));
    if (unknown === undefined) return undefined;
    const near =
      suggestion(unknown, known) || `; there ${known.length === 1 ? "is" : "are"} ${known.join(", ")}`;
    return { problem: `there is no service "${unknown}"${near}` };
  }

  #withoutCache(service: string | undefined): Refusal | undefined {
    const asked = this.#controlled.services().filter(({ name }) => (service ?? name) === name);
    if (asked.some(({ remembers }) => remembers)) return undefined;
    const which = service === undefined ? "no service remembers" : `${service} does not remember`;
    return { problem: `${which} decisions: there is no "cache" in its configuration` };
  }

  async #switched(services: ServiceNames): Promise<Switching> {
    this.#awaitEnd();
    const { offline, engine, services: all } = this.#controlled;
    const [problem] = await Promise.all([this.#save(), engine.switched()]);
    const concerned = all().filter(({ name }) => services === "all" || services.includes(name));
    const modes = concerned.map(({ name }) => modeOf(name, offline));
    return problem === undefined
      ? { services: modes }
      : { services: modes, warning: `a restart will forget this: ${problem}` };
  }

  async #save(): Promise<string | undefined> {
    const { state, offline, log } = this.#controlled;
    const problem = await state.save(offline.snapshot());
    if (problem !== undefined)
      log.warn({ detail: problem }, "a restart will forget what was switched by hand");
    return problem;
  }

  async #restore(): Promise<void> {
    const { state, offline, log } = this.#controlled;
    const kept = await state.load();
    if (kept !== undefined && "problem" in kept) {
      log.warn({ detail: kept.problem }, "what was switched by hand before the restart is forgotten");
    } else if (kept !== undefined) {
      offline.restore(kept);
      const { all, services } = offline.snapshot();
      for (const [name, { by, until, since }] of Object.entries({ ...services, ...(all && { all }) })) {
        const times = { since: new Date(since).toISOString(), until: until && new Date(until).toISOString() };
        log.warn({ services: name, by, ...times }, "still switched offline by hand, as before the restart");
      }
    }
    const unwritable = await state.problem();
    if (unwritable !== undefined) {
      log.warn({ detail: unwritable }, "a restart will forget what is switched offline by hand");
    }
    this.#awaitEnd();
  }

  /** The switch itself needs no timer; this is for the log and the state file. */
  #awaitEnd(): void {
    clearTimeout(this.#ending);
    const { offline } = this.#controlled;
    const end = offline.nextEnd;
    if (end === undefined) return;
    this.#ending = setTimeout(
      () => {
        if (Date.now() >= end) this.#ended();
        this.#awaitEnd();
      },
      Math.min(Math.max(end - Date.now(), 1), LONGEST_TIMER),
    );
    this.#ending.unref();
  }

  #ended(): void {
    // Taking the snapshot forgets what has ended.
    const { all, services } = this.#controlled.offline.snapshot();
    const still = [...Object.keys(services), ...(all === null ? [] : ["all"])];
    this.#controlled.log.info(
      { still_offline: still },
      "the time of a switch by hand is over: online again, but for what others keep offline",
    );
    void this.#save();
  }
}

/** How the bridge stands, whoever asks and wherever. */
export async function wholeStatus({
  engine,
  about,
  offline,
}: {
  readonly engine: Pick<Engine, "status">;
  readonly about: Controlled["about"];
  readonly offline: OfflineSwitch;
}): Promise<Status> {
  const general = about();
  const { services, ...rest } = await engine.status();
  return {
    ...general,
    uptime_s: Math.floor((Date.now() - Date.parse(general.started)) / 1000),
    ...rest,
    services: services.map((service) => ({ ...service, ...modeOf(service.name, offline) })),
  };
}

/** A store on another host may be gone, and whoever blocks an account must know. */
async function confirmed(forgotten: Promise<Met>): Promise<Met> {
  const notSure = "the store of remembered decisions has not confirmed it";
  const advice = "what is remembered may still be used; see to the store and try again";
  const met = await within(CONFIRM_TIME, forgotten).catch((error: Error) => {
    throw new Error(`${notSure} (${error.message}): ${advice}`);
  });
  if (met === LATE) throw new Error(`${notSure} within ${CONFIRM_TIME / 1000} s: ${advice}`);
  return met;
}

/** A name that no request has would forget nothing, and leave a blocked account's permit where it is. */
function misspelt(attributes: Readonly<Record<string, string>>): Refusal | undefined {
  for (const name of Object.keys(attributes)) {
    if (ATTRIBUTE_TYPES.has(name)) continue;
    const near = suggestion(name, ATTRIBUTE_TYPES.keys()) || "; SMTPD_POLICY_README lists them";
    return { problem: `"${name}" is no attribute that Postfix sends${near}` };
  }
  return undefined;
}
